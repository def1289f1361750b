//! Requests made to harm: each gets the recorded kind of refusal, for work that is bounded by what was sent.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use portcullis_auth::credentials::{Caller, Credential};
use portcullis_auth::iam::Principal;
use portcullis_auth::sigv4::{SigV4Rules, SigV4Verifier, SignedRequest, payload_hash};
use portcullis_core::{Rejection, RejectionKind};
use portcullis_testkit::SigV4Signer;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2024-02-29T23:59:30Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_251_170)
}

fn header() -> SigV4Signer {
    SigV4Signer::new(ID, SECRET).at(now())
}

/// A request that would pass as it is.
struct Attempt {
    target: String,
    headers: HeaderMap,
}

impl Attempt {
    fn signed(how: &SigV4Signer) -> Self {
        let request = Request::get("/prod/pets?kind=dog").header("host", "api.example.com");
        let request = how.sign(request.body(Vec::new()).unwrap());
        Self {
            target: request.uri().to_string(),
            headers: request.headers().clone(),
        }
    }

    fn header_form() -> Self {
        Self::signed(&header())
    }

    fn presigned() -> Self {
        Self::signed(&header().token("token").presigned(900))
    }

    fn set(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.insert(name_of(name), value);
        self
    }

    fn add(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(name_of(name), value);
        self
    }

    fn target(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.target = change(&self.target);
        self
    }

    /// Adds to the list of signed headers.
    fn signs(self, names: &str) -> Self {
        let value = self.headers["authorization"].to_str().unwrap();
        let value = value.replace("SignedHeaders=host", &format!("SignedHeaders=host;{names}"));
        self.set("authorization", value)
    }

    fn length(&self) -> usize {
        let lines = self.headers.iter();
        let lines = lines.map(|(name, value)| name.as_str().len() + value.len() + 4);
        self.target.len() + lines.sum::<usize>()
    }

    fn verify(&self) -> Result<(), Rejection> {
        let rules = SigV4Rules::new("eu-west-1", "execute-api").unwrap();
        let verifier = SigV4Verifier::new(rules);
        let request = SignedRequest::new("GET", &self.target, &self.headers);
        let signature = verifier.read(&request, now())?;
        let caller = Caller::new(Principal::anonymous());
        let mut key = Credential::new(ID, SECRET, caller);
        if signature.session_token().is_some() {
            key = key.temporary("token", now() + Duration::from_secs(60));
        }
        let hash = payload_hash(b"");
        verifier.verify(&request, &signature, hash.as_str(), Some(&key), now())
    }
}

fn name_of(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).unwrap()
}

/// Names in the order in which they must be signed.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("i-{index:06}")).collect()
}

#[test]
fn what_was_made_to_harm_gets_its_refusal_for_bounded_work() {
    use RejectionKind::{IncompleteSignature as Incomplete, InvalidSignature as Invalid};

    let good = Attempt::header_form;
    let link = Attempt::presigned;
    let many = |mut attempt: Attempt, count: usize| {
        for name in names(count) {
            attempt = attempt.add(&name, "v");
        }
        attempt
    };
    let all = names(10_000).join(";");
    let long = "x".repeat(60_000);
    let twice = |name: &str| link().target(|target| format!("{target}&X-Amz-{name}=1"));
    let table: Vec<(&str, Attempt, Option<RejectionKind>)> = vec![
        ("nothing is changed", good(), None),
        ("nothing is changed in a link", link(), None),
        // Lists of headers.
        ("headers that are not signed", many(good(), 20_000), None),
        ("headers that are signed", many(good(), 10_000).signs(&all), Some(Invalid)),
        ("signed headers that are missing", good().signs(&all), Some(Invalid)),
        ("a name over and over", good().signs(&vec!["i"; 20_000].join(";")), Some(Incomplete)),
        ("names in the wrong order", good().signs("b;a"), Some(Incomplete)),
        ("a long name", good().signs(&"i".repeat(60_000)), Some(Invalid)),
        ("a value of blanks", good().set("i", " ".repeat(60_000)).signs("i"), Some(Invalid)),
        ("values of blanks", good().set("i", "a  b  ".repeat(10_000)).signs("i"), Some(Invalid)),
        (
            "a header many times",
            (0..5_000).fold(good().signs("i"), |attempt, _| attempt.add("i", "  v  ")),
            Some(Invalid),
        ),
        // Queries and paths.
        (
            "thousands of parameters",
            good().target(|target| {
                let more: String = (0..20_000).map(|index| format!("&k{}", index * 7919 % 20_000)).collect();
                target.to_owned() + &more
            }),
            Some(Invalid),
        ),
        (
            "one parameter thousands of times",
            good().target(|target| target.to_owned() + &"&k=v".repeat(20_000)),
            Some(Invalid),
        ),
        ("ampersands", good().target(|target| target.to_owned() + &"&".repeat(60_000)), None),
        ("equal signs", good().target(|target| target.to_owned() + &"=".repeat(60_000)), Some(Invalid)),
        ("percent signs", good().target(|target| target.to_owned() + &"%".repeat(60_000)), Some(Invalid)),
        ("steps up", good().target(|target| "/..".repeat(20_000) + target), None),
        ("steps down and up", good().target(|target| "/a/..".repeat(20_000) + target), None),
        ("slashes", good().target(|target| "/".repeat(60_000) + target), None),
        ("a path of percent signs", good().target(|_| "/%".repeat(30_000)), Some(Invalid)),
        ("no path", good().target(|_| String::new()), Some(Invalid)),
        ("raw bytes in the target", good().target(|target| format!("/é\u{0}\n{target}")), Some(Invalid)),
        // Each parameter of a link twice.
        ("an algorithm twice", twice("Algorithm"), Some(Incomplete)),
        ("a credential twice", twice("Credential"), Some(Incomplete)),
        ("a date twice", twice("Date"), Some(Incomplete)),
        ("a life twice", twice("Expires"), Some(Incomplete)),
        ("signed headers twice", twice("SignedHeaders"), Some(Incomplete)),
        ("a signature twice", twice("Signature"), Some(Incomplete)),
        ("a token twice", twice("Security-Token"), Some(Incomplete)),
        (
            "a name in another spelling",
            link().target(|target| format!("{target}&X-Amz-%53ignature=1")),
            Some(Invalid),
        ),
        // Not UTF-8.
        ("authorization", good().set("authorization", b"AWS4-HMAC-SHA256 \xff"), Some(Incomplete)),
        ("only bytes", good().set("authorization", [0xff; 60_000]), Some(Incomplete)),
        ("a date", good().set("x-amz-date", b"20240229T23593\xff"), Some(Incomplete)),
        ("the other date", {
            let mut attempt = good().set("date", b"\xff\xfe");
            attempt.headers.remove("x-amz-date");
            attempt
        }, Some(Incomplete)),
        ("a host", good().set("host", b"api.example.com\xff"), Some(Invalid)),
        ("a header that is signed", good().set("i", [0xff; 60_000]).signs("i"), Some(Invalid)),
        ("a header that is not", good().set("i", [0xff; 60_000]), None),
        ("a token", good().set("x-amz-security-token", b"\xff"), Some(RejectionKind::UnrecognizedClient)),
        (
            "a credential in a link",
            link().target(|target| target.replace("AKIDEXAMPLE", "%FF%00%0A")),
            Some(RejectionKind::UnrecognizedClient),
        ),
        ("a date in a link", link().target(|target| target.replace("20240229T235930Z", "%FF")), Some(Incomplete)),
        (
            "signed headers in a link",
            link().target(|target| target.replace("SignedHeaders=host", "SignedHeaders=host%3B%FF")),
            Some(Incomplete),
        ),
        // Headers twice.
        ("two authorizations", good().add("authorization", "AWS4-HMAC-SHA256"), Some(Incomplete)),
        ("two of the same", {
            let value = good().headers["authorization"].clone();
            good().add("authorization", value.as_bytes())
        }, Some(Incomplete)),
        ("two dates", good().add("x-amz-date", "20240229T235930Z"), Some(Incomplete)),
        ("two hosts", good().add("host", "api.example.com"), Some(Invalid)),
        ("two other dates", good().add("date", "1").add("date", "2"), None),
        (
            "two hashes",
            good().add("x-amz-content-sha256", "UNSIGNED-PAYLOAD").add("x-amz-content-sha256", "x")
                .signs("x-amz-content-sha256"),
            Some(Invalid),
        ),
        // What was folded arrives with blanks, or not at all.
        ("a folded host", good().set("host", "api.example.com\t other"), Some(Invalid)),
        ("a folded authorization", {
            let value = good().headers["authorization"].to_str().unwrap().replace(", ", ",\t  ");
            good().set("authorization", value)
        }, None),
        // Parts of the header, long or wrong.
        ("a long credential", good().set("authorization", format!("AWS4-HMAC-SHA256 Credential={long}, SignedHeaders=host, Signature=0")), Some(Incomplete)),
        ("many slashes", good().set("authorization", format!("AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host, Signature=0", "/".repeat(60_000))), Some(Incomplete)),
        ("a long signature", good().set("authorization", format!("AWS4-HMAC-SHA256 Credential={ID}/20240229/eu-west-1/execute-api/aws4_request, SignedHeaders=host, Signature={long}")), Some(Invalid)),
        ("many commas", good().set("authorization", ",".repeat(60_000)), Some(Incomplete)),
        ("many equal signs", good().set("authorization", format!("AWS4-HMAC-SHA256 {}", "=".repeat(60_000))), Some(Incomplete)),
        ("a long date", good().set("x-amz-date", &long), Some(Incomplete)),
        ("a long token", good().set("x-amz-security-token", &long), Some(RejectionKind::UnrecognizedClient)),
        ("both forms", link().set("authorization", "AWS4-HMAC-SHA256 x"), Some(Invalid)),
    ];
    for (what, attempt, expected) in table {
        let mut outcome = None;
        let counted = allocation_counter::measure(|| outcome = Some(attempt.verify()));
        match (outcome.unwrap(), expected) {
            (Ok(()), None) => {}
            (Err(rejection), Some(kind)) => {
                assert_eq!(rejection.kind(), kind, "{what}: {rejection}");
                assert_eq!(rejection.status(), 403, "{what}");
                assert!(rejection.decision().is_some(), "{what}");
            }
            (outcome, expected) => panic!("{what}: {outcome:?}, not {expected:?}"),
        }
        let most = 32 * attempt.length() as u64 + 20_000;
        assert!(
            counted.bytes_total < most,
            "{what}: {} bytes, {counted:?}",
            attempt.length()
        );
        assert!(counted.count_total < 120, "{what}: {counted:?}");
    }
}
