"""RSS, Atom, RDF, CDF and JSON Feed."""
