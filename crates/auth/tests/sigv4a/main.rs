//! Signatures of version 4A: the requests of AWS's own suite, and what must not pass.

use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_auth::credentials::{Caller, Credential};
use portcullis_auth::iam::Principal;
use portcullis_auth::sigv4::{ReplayGuard, SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};
use portcullis_core::Rejection;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2015-08-30T12:36:00Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

#[derive(Clone, Debug)]
struct Signed {
    method: String,
    target: String,
    headers: HeaderMap,
    body: String,
}

impl Signed {
    /// Reads a request as it stands in the suite.
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let mut first = lines.next().expect("a request line").split(' ');
        let (method, target) = (first.next().unwrap(), first.next().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').expect("a header");
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: body.to_owned(),
        }
    }

    fn named(name: &str) -> Self {
        Self::read(&fs::read_to_string(folder().join(name)).expect("it is there"))
    }

    fn with(mut self, name: &'static str, change: impl FnOnce(&str) -> String) -> Self {
        let value = change(self.headers[name].to_str().unwrap());
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    fn target(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.target = change(&self.target);
        self
    }

    fn verify_by(&self, verifier: &SigV4Verifier, secret: &str) -> Result<(), Rejection> {
        let request = SignedRequest::new(&self.method, &self.target, &self.headers);
        let signature = verifier.read(&request, now())?;
        assert!(signature.is_asymmetric());
        let caller = Caller::new(Principal::anonymous());
        let key = Credential::new(signature.access_key_id(), secret, caller);
        let key = match signature.session_token() {
            None => key,
            Some(token) => {
                let token = token.to_owned();
                key.temporary(token, now() + Duration::from_secs(60))
            }
        };
        let hash = payload_hash(self.body.as_bytes());
        verifier.verify(&request, &signature, hash.as_str(), Some(&key), now())
    }

    fn verify(&self) -> Result<(), Rejection> {
        self.verify_by(&SigV4Verifier::new(rules()), SECRET)
    }
}

fn rules() -> SigV4Rules {
    let rules = SigV4Rules::new("us-east-1", "service").unwrap();
    rules.allow_asymmetric(true)
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigv4a/requests")
}

fn rule(outcome: Result<(), Rejection>) -> String {
    let rejection = outcome.expect_err("it is refused");
    assert_eq!(rejection.status(), 403);
    rejection.decision().expect("it says why").rule().to_owned()
}

#[test]
fn the_suite_of_aws_is_accepted_where_it_is_allowed() {
    let mut count = 0;
    for entry in fs::read_dir(folder())
        .unwrap()
        .collect::<io::Result<Vec<_>>>()
        .unwrap()
    {
        let request = Signed::read(&fs::read_to_string(entry.path()).unwrap());
        if let Err(rejection) = request.verify() {
            panic!("{:?}: {rejection}", entry.path());
        }
        let ordinary = SigV4Rules::new("us-east-1", "service").unwrap();
        let refusing = SigV4Verifier::new(ordinary);
        assert_eq!(
            rule(request.verify_by(&refusing, SECRET)),
            "sigv4/unsupported-algorithm"
        );
        assert_eq!(
            rule(request.verify_by(&SigV4Verifier::new(rules()), "x")),
            "sigv4/mismatch"
        );
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn what_was_changed_on_the_way_is_refused() {
    let header = || Signed::named("post-x-www-form-urlencoded-parameters.header.txt");
    let link = || Signed::named("get-vanilla.query.txt");
    let of_signature = |change: fn(&str) -> String| header().with("authorization", change);
    let mismatch = "sigv4/mismatch";
    let scope = "sigv4/wrong-scope";
    for (what, request, expected) in [
        (
            "the body",
            Signed {
                body: "Param1=value2".to_owned(),
                ..header()
            },
            mismatch,
        ),
        (
            "the method",
            Signed {
                method: "PUT".to_owned(),
                ..header()
            },
            mismatch,
        ),
        ("the path", header().target(|_| "/x".to_owned()), mismatch),
        (
            "a parameter",
            header().target(|target| format!("{target}?a=b")),
            mismatch,
        ),
        (
            "the host",
            header().with("host", |_| "example.org".to_owned()),
            mismatch,
        ),
        (
            "the date",
            header().with("x-amz-date", |_| "20150830T123601Z".to_owned()),
            mismatch,
        ),
        (
            "the regions, wider",
            header().with("x-amz-region-set", |_| "*".to_owned()),
            mismatch,
        ),
        (
            "the regions, others",
            header().with("x-amz-region-set", |_| "us-west-*".to_owned()),
            scope,
        ),
        (
            "the regions, unsigned",
            of_signature(|value| value.replace(";x-amz-region-set", "")),
            scope,
        ),
        (
            "the signature",
            of_signature(|value| value.replace("=3045", "=3046")),
            mismatch,
        ),
        (
            "no signature",
            of_signature(|value| value[..value.len() - 142].to_owned()),
            "sigv4/missing-parts",
        ),
        (
            "half of it",
            of_signature(|value| value[..value.len() - 71].to_owned()),
            mismatch,
        ),
        (
            "a tail",
            of_signature(|value| value.to_owned() + "00"),
            mismatch,
        ),
        (
            "capitals",
            of_signature(|value| value.replace("c016dc61", "C016DC61")),
            mismatch,
        ),
        (
            "the key's id",
            of_signature(|value| value.replace("AKIDEXAMPLE", "AKIDEXAMPLF")),
            mismatch,
        ),
        (
            "the day",
            of_signature(|value| value.replace("/20150830/", "/20150829/")),
            scope,
        ),
        (
            "the service",
            of_signature(|value| value.replace("/service/", "/other/")),
            scope,
        ),
        (
            "a region in the scope",
            of_signature(|value| value.replace("/service/", "/us-east-1/service/")),
            "sigv4/bad-credential",
        ),
        (
            "the algorithm",
            of_signature(|value| value.replace("ECDSA-P256", "HMAC")),
            "sigv4/bad-credential",
        ),
        (
            "a link's life",
            link().target(|target| target.replace("3600", "3601")),
            mismatch,
        ),
        (
            "a link's regions",
            link().target(|target| target.replace("Set=us-east-1", "Set=*")),
            mismatch,
        ),
        (
            "a link without regions",
            link().target(|target| target.replace("&X-Amz-Region-Set=us-east-1", "")),
            scope,
        ),
        (
            "a link's path",
            link().target(|target| target.replace("/?", "/x?")),
            mismatch,
        ),
    ] {
        assert_eq!(rule(request.verify()), expected, "{what}");
    }
}

/// Whoever has one signature can make another of it, and signers make another each time.
#[test]
fn another_signature_of_the_same_request_is_a_replay() {
    let verifier = SigV4Verifier::new(rules()).with_replay_guard(ReplayGuard::new(10));
    let request = Signed::named("get-vanilla.header.txt");
    let other = "3045022018b4e277d0281864beb51d3600e23f88510ea5031d68ddfbb68614b82a5eb7d2\
                 022100effb9c5f22ed9ef3ae0ab243d21f06bce82365bbb79529a07b6888c343ae5f8c";
    let again = request.clone().with("authorization", |value| {
        let (head, _) = value.split_once("Signature=").unwrap();
        format!("{head}Signature={other}")
    });
    assert!(again.verify().is_ok(), "it is as good as the first");
    assert!(request.verify_by(&verifier, SECRET).is_ok());
    assert_eq!(rule(again.verify_by(&verifier, SECRET)), "sigv4/replayed");
}
