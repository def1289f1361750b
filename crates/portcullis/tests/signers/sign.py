"""Signs the same request with botocore, as often as it is told, and sends it. Usage: sign.py URL WAY COUNT"""

import sys

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from boto3 import Session

url, way, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
token = "a-session-token/with+signs==" if way == "token" else None
key = "ASIATEMPORARY" if token else "AKIDEXAMPLE"
credentials = Session(key, "a/secret+key", token).get_credentials()
auth = SigV4QueryAuth if way == "query" else SigV4Auth
http = URLLib3Session()
for _ in range(count):
    request = AWSRequest(
        "POST",
        url + "/prod/pets/a%20b/%E2%98%83?kind=dog&name=R%26x&empty=",
        {"Content-Type": "application/json", "X-Many": "  a   b  "},
        # A link is made before it is known what will be sent with it.
        b"" if way == "query" else b'{"name": "R\xc3\xa9x"}',
    )
    auth(credentials, "execute-api", "eu-west-1").add_auth(request)
    print(http.send(request.prepare()).status_code)
