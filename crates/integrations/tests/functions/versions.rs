//! Versions and aliases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_client::Client;
use portcullis_core::{Function, FunctionErrorKind, FunctionReply, Invocation};
use portcullis_integrations::{FunctionAlias, Functions, FunctionsBuilder};
use portcullis_testkit::{HyperServer, Recorder, request as testkit};

/// A registry of `pets` with versions 1 and 2 that return their number, and what is added.
fn versions(add: impl FnOnce(FunctionsBuilder) -> FunctionsBuilder) -> Functions {
    let version = |number: &'static str| {
        move |_: Invocation| async move { Ok(FunctionReply::success(number)) }
    };
    let builder = Functions::builder()
        .function("pets:1", version("1"))
        .function("pets:2", version("2"));
    add(builder).build().expect("valid")
}

async fn call(functions: &Functions, qualifier: Option<&str>) -> Result<String, FunctionErrorKind> {
    let mut invocation = Invocation::new("pets", "{}");
    invocation.qualifier = qualifier.map(Into::into);
    let reply = functions.invoke(invocation).await;
    reply
        .map(|reply| String::from_utf8_lossy(&reply.payload).into_owned())
        .map_err(|error| error.kind())
}

#[tokio::test]
async fn a_qualifier_picks_a_version_or_an_alias() {
    let functions = versions(|builder| {
        builder
            .function("pets", |_: Invocation| async {
                Ok(FunctionReply::success("latest"))
            })
            .alias("pets:prod", FunctionAlias::new("1"))
            .alias("pets:test", FunctionAlias::new("$LATEST"))
    });
    for (qualifier, expected) in [
        (None, "latest"),
        (Some("$LATEST"), "latest"),
        (Some("1"), "1"),
        (Some("2"), "2"),
        (Some("prod"), "1"),
        (Some("test"), "latest"),
    ] {
        assert_eq!(call(&functions, qualifier).await.as_deref(), Ok(expected));
    }
    let unknown = call(&functions, Some("staging")).await;
    assert_eq!(unknown, Err(FunctionErrorKind::NotFound));
}

#[tokio::test]
async fn without_a_latest_version_a_call_must_name_one() {
    let functions = versions(|builder| builder);
    let call = call(&functions, None).await;
    assert_eq!(call, Err(FunctionErrorKind::NotFound));
}

#[tokio::test]
async fn a_function_without_versions_takes_every_qualifier() {
    let functions = Functions::builder()
        .function("pets", |call: Invocation| async move {
            let qualifier = call.qualifier.as_deref().unwrap_or("none").to_owned();
            Ok(FunctionReply::success(qualifier))
        })
        .build()
        .expect("valid");
    assert_eq!(call(&functions, Some("prod")).await.as_deref(), Ok("prod"));
    assert_eq!(call(&functions, None).await.as_deref(), Ok("none"));
}

#[tokio::test]
async fn an_alias_shares_its_calls_by_weight() {
    let asked = Arc::new(AtomicUsize::new(0));
    let functions = versions(|builder| {
        let alias = FunctionAlias::new("1").additional_version_weight("2", 0.25);
        builder
            .alias("pets:prod", alias)
            .random(move || asked.fetch_add(1, Ordering::Relaxed) as f64 / 8.0)
    });
    let mut got = String::new();
    for _ in 0..8 {
        got += &call(&functions, Some("prod")).await.expect("attached");
    }
    assert_eq!(got, "22111111");
}

#[tokio::test]
async fn a_function_elsewhere_is_told_the_version_that_an_alias_chose() {
    let backend = Recorder::new(|_| testkit::answer(200, "{}"));
    let server = HyperServer::start(backend.clone()).await;
    let functions = Functions::builder()
        .url("pets", server.url("/"))
        .client(Client::builder().build().expect("valid"))
        .alias("pets:prod", FunctionAlias::new("7"))
        .build()
        .expect("valid");
    for qualifier in ["prod", "test"] {
        call(&functions, Some(qualifier)).await.expect("answered");
    }
    let queries: Vec<_> = backend
        .requests()
        .iter()
        .map(|it| it.uri.query().map(str::to_owned))
        .collect();
    let expected = ["Qualifier=7", "Qualifier=test"];
    assert_eq!(queries, expected.map(|query| Some(query.to_owned())));
}

#[test]
fn aliases_that_cannot_be_are_errors_that_say_so() {
    let attached = || Functions::builder().mock("pets:1", 1).mock("pets", 0);
    let check = |builder: FunctionsBuilder, field: &str, fault: &str| {
        let error = builder.build().expect_err(fault);
        assert_eq!(error.field(), field);
        assert!(error.to_string().contains(fault), "{error}");
    };
    check(
        attached().alias("pets:prod", FunctionAlias::new("2")),
        "/functions/pets:prod",
        "names version `2`, and there is no `pets:2`",
    );
    check(
        attached().alias(
            "pets:prod",
            FunctionAlias::new("1").additional_version_weight("$LATEST", 1.5),
        ),
        "/functions/pets:prod",
        "a weight is from 0 to 1",
    );
    check(
        attached().alias("pets", FunctionAlias::new("1")),
        "/functions/pets",
        "must be named like `pets:prod`",
    );
    check(
        attached().alias("pets:1", FunctionAlias::new("$LATEST")),
        "/functions/pets:1",
        "a version and an alias at once",
    );
    check(
        attached().mock("a b", 1),
        "/functions/a b",
        "no name of a function",
    );
}
