"""Puts into a moto server what the tests call, turns its check of signatures and policies on, and prints the keys."""

import io
import json
import sys
import zipfile

import boto3
import requests

url = sys.argv[1]
own = {
    "endpoint_url": url,
    "region_name": "us-east-1",
    "aws_access_key_id": "setup",
    "aws_secret_access_key": "setup",
}
client = lambda service: boto3.client(service, **own)


def policy(action):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def user(name, action):
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(action))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


iam = client("iam")
keys = {"gateway": user("gateway", "*"), "reader": user("reader", ["dynamodb:GetItem"])}
trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
trust = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
role = iam.create_role(RoleName="orders", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.put_role_policy(RoleName="orders", PolicyName="own", PolicyDocument=policy(["sqs:*"]))

client("dynamodb").create_table(
    TableName="pets",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
)
queue = client("sqs").create_queue(QueueName="orders")["QueueUrl"]
client("kinesis").create_stream(StreamName="pets", ShardCount=1)
machine = client("stepfunctions").create_state_machine(
    name="pets",
    roleArn=role,
    definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
)["stateMachineArn"]

# Functions are not run, which would take containers: each call gives the next of these results.
requests.post(f"{url}/moto-api/config", json={"lambda": {"use_docker": False}}).raise_for_status()
results = [json.dumps({"statusCode": 201, "headers": {"x-made-by": "moto"}, "body": "made"})]
requests.post(f"{url}/moto-api/static/lambda-simple/response", json={"results": results}).raise_for_status()
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    archive.writestr("index.py", "def handler(event, context): return event")
client("lambda").create_function(
    FunctionName="create-pet",
    Runtime="python3.11",
    Role=role,
    Handler="index.handler",
    Code={"ZipFile": code.getvalue()},
)

# From here on every call is checked.
requests.post(f"{url}/moto-api/reset-auth", data="0").raise_for_status()
print(json.dumps({"keys": keys, "role": role, "queue": queue, "machine": machine}))
