//! AWS services as the cases have them: an object store, and a service with prepared answers. Both check signatures.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use md5::{Digest, Md5};
use portcullis_testkit::{Recorded, signed};
use serde_json::{Value, json};

use super::backend::arguments;
use super::gateway::bytes_of;

/// What the gateway signs with.
pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

type Answer = Response<Full<bytes::Bytes>>;

/// What a service got and holds.
#[derive(Default)]
pub(crate) struct Service {
    pub(crate) requests: Vec<Recorded>,
    objects: BTreeMap<String, Object>,
    /// How many objects were put so far, and how many at the end of the step before.
    puts: (usize, usize),
}

struct Object {
    body: Vec<u8>,
    content_type: String,
}

impl Object {
    fn etag(&self) -> String {
        let hash = Md5::digest(&self.body);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\"{hex}\"")
    }
}

impl Service {
    pub(crate) fn new(description: &Value) -> Self {
        let objects = description["objects"].as_object().into_iter().flatten();
        let objects = objects.map(|(key, object)| {
            let content_type = object["contentType"].as_str();
            let object = Object {
                body: bytes_of(object),
                content_type: content_type.unwrap_or("binary/octet-stream").to_owned(),
            };
            (key.clone(), object)
        });
        Self {
            objects: objects.collect(),
            ..Self::default()
        }
    }

    /// Answers as the description says.
    pub(crate) fn answer(&mut self, description: &Value, got: Recorded) -> Answer {
        let signed = signed(&got, SECRET_ACCESS_KEY);
        assert_eq!(signed.access_key_id, ACCESS_KEY_ID);
        let answer = if description["kind"] == "object-store" {
            assert_eq!(signed.service, "s3");
            self.store(description, &got)
        } else {
            prepared(description, self.requests.len())
        };
        self.requests.push(got);
        answer
    }

    fn store(&mut self, description: &Value, got: &Recorded) -> Answer {
        let bucket = format!("/{}/", description["bucket"].as_str().unwrap_or_default());
        let path = percent_encoding::percent_decode_str(got.uri.path()).decode_utf8_lossy();
        let Some(key) = path.strip_prefix(&bucket) else {
            return error("NoSuchBucket", &path);
        };
        match got.method {
            Method::PUT => {
                let content_type = got.header("content-type").unwrap_or("binary/octet-stream");
                let object = Object {
                    body: got.body.to_vec(),
                    content_type: content_type.to_owned(),
                };
                let etag = object.etag();
                self.objects.insert(key.to_owned(), object);
                self.puts.0 += 1;
                let response = Response::builder().header("etag", etag);
                response.body(Full::default()).expect("a response")
            }
            Method::DELETE => {
                self.objects.remove(key);
                let response = Response::builder().status(StatusCode::NO_CONTENT);
                response.body(Full::default()).expect("a response")
            }
            _ => match self.objects.get(key) {
                Some(object) => {
                    let asked = arguments(got.uri.query(), false);
                    let asked = asked.get("response-content-type").and_then(Value::as_str);
                    Response::builder()
                        .header("etag", object.etag())
                        .header("content-type", asked.unwrap_or(&object.content_type))
                        .body(Full::from(object.body.clone()))
                        .expect("a response")
                }
                None => error("NoSuchKey", key),
            },
        }
    }

    /// Compares what is held now with what must be.
    pub(crate) fn holds(&mut self, wanted: &Value) -> Result<(), String> {
        let (puts, before) = self.puts;
        self.puts.1 = puts;
        let Some(key) = wanted["key"].as_str() else {
            return Ok(());
        };
        if wanted["unchanged"] == true {
            return if puts == before {
                Ok(())
            } else {
                Err(format!("{key} was put once more"))
            };
        }
        let object = self.objects.get(key);
        let object = object.ok_or_else(|| format!("nothing is stored as {key}"))?;
        let got = json!({
            "key": key,
            "bodyBase64": STANDARD.encode(&object.body),
            "contentType": object.content_type,
            "contentLength": object.body.len(),
            "etag": object.etag(),
        });
        for (name, wanted) in wanted.as_object().into_iter().flatten() {
            if got.get(name).is_some_and(|got| got != wanted) {
                return Err(format!(
                    "{name} of {key} is {} instead of {wanted}",
                    got[name]
                ));
            }
        }
        Ok(())
    }

    /// Compares the last request with what it must have been.
    pub(crate) fn got(&self, wanted: &Value) -> Result<(), String> {
        let got = self.requests.last().ok_or("the service got no request")?;
        let fail = |what: &str, got: &str, wanted: &Value| {
            Err(format!(
                "the service got the {what} {got} instead of {wanted}"
            ))
        };
        if let Some(method) = wanted["method"].as_str()
            && got.method != method
        {
            return fail("method", got.method.as_str(), &wanted["method"]);
        }
        let query = Value::from(arguments(got.uri.query(), false));
        let form = Value::from(arguments(Some(&got.text()), false));
        if let Some(action) = wanted["action"].as_str() {
            let target = got.header("x-amz-target");
            let target = target.and_then(|target| target.rsplit('.').next());
            let named = target
                .or_else(|| query["Action"].as_str())
                .or_else(|| form["Action"].as_str());
            if named != Some(action) {
                return fail("action", named.unwrap_or("none"), &wanted["action"]);
            }
        }
        for (name, wanted) in wanted["headers"].as_object().into_iter().flatten() {
            let got = got.header(&name.to_ascii_lowercase());
            if got != wanted.as_str() {
                return fail(name, got.unwrap_or("none"), wanted);
            }
        }
        for (what, got) in [("query", &query), ("form", &form)] {
            for (name, wanted) in wanted[what].as_object().into_iter().flatten() {
                if &got[name] != wanted {
                    return fail(name, &got[name].to_string(), wanted);
                }
            }
        }
        if let Some(wanted) = wanted.get("json") {
            let json: Value = serde_json::from_slice(&got.body).unwrap_or_default();
            if &json != wanted {
                return fail("body", &got.text(), wanted);
            }
        }
        let mut from = 0;
        for key in wanted["keyOrder"].as_array().into_iter().flatten() {
            let text = got.text();
            let found = text[from..].find(&key.to_string());
            let Some(at) = found else {
                return fail("order of keys", &text, &wanted["keyOrder"]);
            };
            from += at;
        }
        Ok(())
    }
}

/// One of the answers for each step, of which the last repeats.
fn prepared(description: &Value, step: usize) -> Answer {
    let none = Vec::new();
    let answers = description["answers"].as_array().unwrap_or(&none);
    let Some(answer) = answers.get(step).or_else(|| answers.last()) else {
        return error("NoAnswer", "the case has none");
    };
    let status = answer["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let mut response = Response::builder().status(status.unwrap_or(200));
    if let Some(content_type) = answer["contentType"].as_str() {
        response = response.header("content-type", content_type);
    }
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = match answer.get("json") {
        Some(json) => json.to_string().into_bytes(),
        None => bytes_of(answer),
    };
    response.body(Full::from(body)).expect("a response")
}

fn error(code: &str, key: &str) -> Answer {
    let message = match code {
        "NoSuchKey" => "The specified key does not exist.",
        _ => "There is no such thing.",
    };
    Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header("content-type", "application/xml")
        .body(Full::from(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><Key>{key}</Key></Error>"
        )))
        .expect("a response")
}
