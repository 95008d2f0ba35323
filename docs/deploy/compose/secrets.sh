#!/bin/sh
# Makes the secrets that compose.yaml names, once; what is there stays.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
word() { python3 -c 'import secrets; print(secrets.token_urlsafe(32), end="")'; }
keep() { test -s "secrets/$1" || printf %s "$2" >"secrets/$1"; }
keep postgres_password "$(word)"
keep redis_password "$(word)"
keep shop_webhook "whsec_$(python3 -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode(), end="")')"
keep database_url "postgresql://hubbub:$(cat secrets/postgres_password)@postgres/hubbub"
keep redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
# Compose hands each file to its containers with the rights it has here: the hub's user (10001) must be able to read it there. On this
# machine the folder keeps others out.
chmod 0700 secrets
chmod 0444 secrets/*
test -s caddy.env || echo "HUBBUB_PAGE_PASSWORD=''" >caddy.env
echo "secrets/ is there. Put what 'docker run --rm -it caddy:2 caddy hash-password' prints between the quotes in caddy.env"
