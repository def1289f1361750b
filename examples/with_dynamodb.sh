#!/usr/bin/env bash
# Runs an example with a DynamoDB on this machine: examples/with_dynamodb.sh function_dynamodb
#
# The DynamoDB is moto in server mode, from PyPI; it is installed below target/ the first time. It listens on a free port, has a table `pets`,
# and ends with the example.
set -euo pipefail
cd "$(dirname "$0")/.."
example=${1:?"usage: examples/with_dynamodb.sh EXAMPLE"}

target=${CARGO_TARGET_DIR:-target}
venv=$target/venv # where `cargo xtask test` has it
[ -x "$venv/bin/moto_server" ] || venv=$target/moto
if [ ! -x "$venv/bin/moto_server" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check moto==5.2.5 flask==3.1.3 flask-cors==6.0.5 py-partiql-parser==0.6.3
fi

export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=eu-west-1
unset AWS_SESSION_TOKEN AWS_PROFILE

log=$(mktemp)
"$venv/bin/moto_server" -H 127.0.0.1 -p 0 2> "$log" &
server=$!
trap 'kill "$server" 2> /dev/null || true; rm -f "$log"' EXIT
until DYNAMODB=$(sed -n 's/.*Running on \(http:[^ ]*\).*/\1/p' "$log") && [ -n "$DYNAMODB" ]; do
  kill -0 "$server" || { cat "$log"; exit 1; }
  sleep 0.2
done
export DYNAMODB

"$venv/bin/python" - << 'PYTHON'
import os
import boto3

boto3.client("dynamodb", endpoint_url=os.environ["DYNAMODB"]).create_table(
    TableName="pets",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
)
PYTHON

# The tests give the example that they have built.
${EXAMPLE_COMMAND:-cargo run --quiet --example "$example"}
