"""How people and programs come in: passwords, second factors, sessions, API keys, one-time links."""
