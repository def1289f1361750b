//! What a gateway was given and no definition names: most likely a name that is written in two ways.

use std::borrow::Cow;

use crate::definition::{Pointer, Stage};
use crate::gateway::builder::GatewayBuilder;
use crate::gateway::coverage::{Coverage, Served};

/// Reports functions, upstreams, VPC links and issuers that nothing names, and warns of them.
pub(super) fn survey(source: &GatewayBuilder, coverage: &mut Coverage) {
    let functions = source.functions.names().map(|name| {
        // Versions and aliases are named with the function, and a caller may choose among them.
        let bare = match name.starts_with("arn:") {
            true => name.rsplit(":function:").next().unwrap_or(name),
            false => name,
        };
        let bare = bare.split(':').next().unwrap_or(bare);
        ("functions", name, bare.to_owned())
    });
    let links = source
        .vpc_links
        .names()
        .map(|name| ("vpcLinks", name, name.to_owned()));
    let issuers = source
        .issuers
        .names()
        .map(|name| ("issuers", name, issuer(name).to_owned()));
    let upstreams = source.upstreams.names().filter_map(|name| {
        let host = name.split("://").nth(1)?;
        let host = host.split(['/', ':']).next()?.to_ascii_lowercase();
        // Calls of services name them without their hosts.
        let service = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        (!service).then_some(("upstreams", name, host))
    });
    let given: Vec<_> = functions
        .chain(links)
        .chain(issuers)
        .chain(upstreams)
        .collect();
    if given.is_empty() {
        return;
    }
    let texts = texts(source);
    // The description of an issuer may name any host for its keys.
    let any_host = texts.iter().any(|text| text.contains("issuer"));
    for (field, name, sought) in given {
        let named = texts.iter().any(|text| text.contains(&sought));
        if named || field == "upstreams" && any_host {
            continue;
        }
        tracing::warn!(name, "nothing names what `{field}` has under this name");
        let place = Pointer::root().child(field).child(name);
        let pointer = format!("configuration:{place}");
        let note = "no configured definition names it";
        coverage.push("", pointer, Served::DocumentationOnly, note);
    }
}

/// A user pool is named by its ARN or by its address, which both end with its id.
fn issuer(name: &str) -> &str {
    let is_pool = name.contains("cognito-idp");
    let id = name.rsplit('/').next();
    id.filter(|_| is_pool).unwrap_or(name)
}

/// All texts in which something may be named, with the variables of each stage in their places.
fn texts(source: &GatewayBuilder) -> Vec<String> {
    let mut texts = Vec::new();
    for api in &source.apis {
        for document in std::iter::once(&api.document).chain(api.deployments.values()) {
            // JSON may write a slash as `\/`.
            let document = document.replace("\\/", "/");
            for stage in &api.stages {
                texts.extend(filled_in(&document, stage));
            }
            texts.push(document);
        }
    }
    let links = source.vpc_links.origins().map(str::to_owned);
    texts.extend(links);
    // Host names have no case, and a name that differs in it alone is told elsewhere.
    for text in &mut texts {
        let lower = text.to_ascii_lowercase();
        text.push('\n');
        text.push_str(&lower);
    }
    texts
}

/// The document as the stage sees it, if it sees another one.
fn filled_in(document: &str, stage: &Stage) -> Option<String> {
    if !document.contains("stageVariables.") {
        return None;
    }
    let start = Cow::Borrowed(document);
    let filled = stage.variables.iter().fold(start, |text, (name, value)| {
        text.replace(&format!("${{stageVariables.{name}}}"), value)
            .into()
    });
    // A name may also be the whole of a variable.
    let values: Vec<_> = stage.variables.values().map(String::as_str).collect();
    Some(format!("{filled}\n{}", values.join("\n")))
}
