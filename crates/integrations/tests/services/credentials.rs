//! Who calls are signed as.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::{Clock, ManualClock};
use portcullis_integrations::{Credentials, CredentialsError, CredentialsSource};
use portcullis_testkit::{HyperServer, Recorded, Recorder, request as testkit, signed};

use crate::support::{NOW, aws, call, compile, config, request};

const ROLE: &str = "arn:aws:iam::111111111111:role/${stageVariables.role}";

/// Gives temporary keys (which last an hour from [`NOW`]) to whoever asks for a role, and answers all else 200.
fn services()
-> Recorder<impl Fn(&Recorded) -> http::Response<http_body_util::Full<bytes::Bytes>> + Clone> {
    Recorder::new(|got: &Recorded| {
        if !got.text().contains("Action=AssumeRole") {
            return testkit::answer(200, "{}");
        }
        testkit::answer(
            200,
            "<R><Credentials><AccessKeyId>ASIATEMP</AccessKeyId><SecretAccessKey>temporary</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials></R>",
        )
    })
}

fn action() -> portcullis_integrations::IntegrationConfig {
    config("us-east-1:dynamodb:action/Query")
}

#[tokio::test]
async fn a_role_is_assumed_where_that_is_wanted_and_kept() {
    let services = services();
    let server = HyperServer::start(services.clone()).await;
    let mut config = action();
    config.credentials = Some(ROLE.into());
    for assume in [false, true] {
        services.clear();
        let aws = aws(&server.url(""), Credentials::new("AKIDEXAMPLE", "secret"));
        let aws = aws.assume_roles(assume).build().expect("valid");
        let compiled = compile(&config, aws);
        for _ in 0..2 {
            let response = call(&compiled, request("POST", "/pets/7", "{}")).await;
            assert_eq!(response.status(), 200);
        }
        let got = services.requests();
        if !assume {
            assert_eq!(got.len(), 2, "nobody is asked for a role");
            assert_eq!(signed(&got[0], "secret").access_key_id, "AKIDEXAMPLE");
            continue;
        }
        let [asked, first, second] = &got[..] else {
            panic!("{got:#?}");
        };
        assert_eq!(
            asked.text(),
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fpets&RoleSessionName=portcullis"
        );
        assert_eq!(signed(asked, "secret").service, "sts");
        for call in [first, second] {
            assert_eq!(signed(call, "temporary").access_key_id, "ASIATEMP");
            assert_eq!(call.header("x-amz-security-token"), Some("token"));
        }
    }
}

#[tokio::test]
async fn a_token_in_a_file_is_a_web_identity() {
    let services = services();
    let server = HyperServer::start(services.clone()).await;
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    writeln!(file, "eyJ.a+b.c").expect("it can be written");
    let token_file = file.path().to_str().expect("a path").to_owned();
    let given = CredentialsSource::web_identity("arn:aws:iam::1:role/pod", &token_file);
    let in_variables = CredentialsSource::environment().with_variables(move |name| match name {
        "AWS_WEB_IDENTITY_TOKEN_FILE" => Some(token_file.clone()),
        "AWS_ROLE_ARN" => Some("arn:aws:iam::1:role/pod".to_owned()),
        "AWS_ROLE_SESSION_NAME" => Some("portcullis".to_owned()),
        _ => None,
    });
    for source in [given, in_variables] {
        services.clear();
        let aws = aws(&server.url(""), source).build().expect("valid");
        let response = call(&compile(&action(), aws), request("POST", "/pets/7", "{}")).await;
        assert_eq!(response.status(), 200);
        let got = services.requests();
        assert_eq!(
            got[0].text(),
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fpod&RoleSessionName=portcullis&WebIdentityToken=eyJ.a%2Bb.c"
        );
        assert_eq!(got[0].header("authorization"), None, "the token is enough");
        assert_eq!(signed(&got[1], "temporary").access_key_id, "ASIATEMP");
    }
}

#[tokio::test]
async fn a_profile_has_keys_or_a_role() {
    let services = services();
    let server = HyperServer::start(services.clone()).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().to_str().expect("a path").to_owned();
    std::fs::create_dir(folder.path().join(".aws")).expect("it can be made");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(".aws").join(name), text).expect("it can be written");
    };
    write(
        "credentials",
        "[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base\n",
    );
    write(
        "config",
        "[profile ops]\nrole_arn = arn:aws:iam::1:role/ops\nsource_profile = base\n",
    );
    let source = |name: &str| {
        let home = home.clone();
        CredentialsSource::profile(name)
            .with_variables(move |name| (name == "HOME").then(|| home.clone()))
    };
    for (profile, id, secret) in [
        ("base", "AKIDBASE", "base"),
        ("ops", "ASIATEMP", "temporary"),
    ] {
        services.clear();
        let aws = aws(&server.url(""), source(profile))
            .build()
            .expect("valid");
        call(&compile(&action(), aws), request("POST", "/pets/7", "{}")).await;
        let got = services.requests();
        let last = got.last().expect("it was called");
        assert_eq!(signed(last, secret).access_key_id, id);
        if profile == "ops" {
            assert_eq!(signed(&got[0], "base").service, "sts");
        }
    }
    let error = aws(&server.url(""), source("none")).build();
    let error = error.expect_err("there is no such profile");
    assert_eq!(error.field(), "/credentials/profile");
}

#[tokio::test]
async fn new_keys_are_fetched_before_the_old_ones_end() {
    let services = services();
    let server = HyperServer::start(services.clone()).await;
    let clock = ManualClock::at_unix(NOW);
    let own = clock.clone();
    let provider = move || {
        let expires = own.wall() + Duration::from_secs(3600);
        let id = format!(
            "AK{}",
            own.wall()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("later")
                .as_secs()
        );
        async move { Ok::<_, CredentialsError>(Credentials::new(id, "secret").with_expiry(expires)) }
    };
    let aws = aws(&server.url(""), provider).clock(Arc::new(clock.clone()));
    let compiled = compile(&action(), aws.build().expect("valid"));
    for seconds in [0, 3000, 400] {
        clock.advance(Duration::from_secs(seconds));
        call(&compiled, request("POST", "/pets/7", "{}")).await;
    }
    let ids: Vec<_> = services
        .requests()
        .iter()
        .map(|got| signed(got, "secret").access_key_id)
        .collect();
    assert_eq!(ids, ["AK1440938160", "AK1440938160", "AK1440941560"]);
}

#[tokio::test]
async fn without_credentials_a_call_is_500_and_none_is_made() {
    let services = services();
    let server = HyperServer::start(services.clone()).await;
    let away = || async { Err::<Credentials, _>(CredentialsError::new("the vault is shut")) };
    let compiled = compile(
        &action(),
        aws(&server.url(""), away).build().expect("valid"),
    );
    let response = call(&compiled, request("POST", "/pets/7", "{}")).await;
    assert_eq!(response.status(), 500);
    assert_eq!(services.count(), 0);
    let error = aws(
        &server.url(""),
        CredentialsSource::environment().with_variables(|_| None),
    );
    let error = error.build().expect_err("nothing is set");
    assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[tokio::test]
async fn a_refusal_of_the_token_service_is_not_the_clients_fault() {
    let refuses = Recorder::new(|_: &Recorded| {
        testkit::answer(
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
        )
    });
    let server = HyperServer::start(refuses.clone()).await;
    let mut config = action();
    config.credentials = Some(ROLE.into());
    let aws = aws(&server.url(""), Credentials::new("AKIDEXAMPLE", "secret"));
    let compiled = compile(&config, aws.assume_roles(true).build().expect("valid"));
    let response = call(&compiled, request("POST", "/pets/7", "{}")).await;
    assert_eq!(response.status(), 500);
    assert_eq!(refuses.count(), 1, "the service itself is not called");
}

#[tokio::test]
async fn the_callers_own_credentials_sign_if_they_are_known() {
    let services = services();
    let server = HyperServer::start(services.clone()).await;
    let mut config = action();
    config.credentials = Some("arn:aws:iam::*:user/*".into());
    let own = || aws(&server.url(""), Credentials::new("AKIDEXAMPLE", "secret"));
    let unknown = compile(&config, own().build().expect("valid"));
    assert_eq!(unknown.unsupported[0].field, "/credentials");
    let response = call(&unknown, request("POST", "/pets/7", "{}")).await;
    assert_eq!((response.status().as_u16(), services.count()), (500, 0));

    let known = own().callers(|context| {
        let id = context.stage().map(|stage| stage.api_id.clone());
        async move { Ok(id.map(|id| Credentials::new(id, "theirs"))) }
    });
    let compiled = compile(&config, known.build().expect("valid"));
    call(&compiled, request("POST", "/pets/7", "{}")).await;
    assert_eq!(signed(&services.only(), "theirs").access_key_id, "abc");
}
