//! Renders a template from files: `cargo run --example template -- template.vtl --input body.json --context context.json`.
//!
//! The context file is JSON with any of the members `context`, `stageVariables`, `path`, `querystring` and `header`.
//! Prints the result, and on the error stream the overrides that were set; a fault is printed with its place. `--velocity` takes the dialect of Velocity 1.7; `--trace` tells
//! on the error stream what each directive and reference came to, with its line.

use std::process::ExitCode;

use portcullis_templates::{Data, Dialect, Limits, Scope, Template};

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: template FILE [--input FILE] [--context FILE] [--velocity] [--trace]";

/// The members of a context file.
const MEMBERS: [&str; 5] = ["context", "stageVariables", "path", "querystring", "header"];

fn run(mut arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let (mut template, mut body, mut context) = (None, Vec::new(), Data::default());
    let (mut dialect, mut trace) = (Dialect::ApiGateway, false);
    while let Some(argument) = arguments.next() {
        let mut path = || {
            let path = arguments.next();
            path.ok_or_else(|| format!("{argument} needs a file\n{USAGE}"))
        };
        match argument.as_str() {
            "--input" => body = read(&path()?)?,
            "--context" => context = read_context(&path()?)?,
            "--velocity" => dialect = Dialect::Velocity,
            "--trace" => trace = true,
            "-h" | "--help" => return Ok(USAGE.to_owned()),
            flag if flag.starts_with('-') => {
                return Err(format!("there is no option `{flag}`\n{USAGE}"));
            }
            _ if template.is_some() => {
                return Err(format!(
                    "one template at a time: `{argument}` is a second\n{USAGE}"
                ));
            }
            path => {
                let source = String::from_utf8(read(path)?);
                template = Some(source.map_err(|error| format!("{path}: {error}"))?);
            }
        }
    }
    let source = template.ok_or(USAGE)?;
    let template = Template::parse_with(&source, dialect, Limits::default())
        .map_err(|fault| fault.to_string())?;
    let part = |name: &str| context.get(name).cloned().unwrap_or_default();
    let (path, query, header) = (part("path"), part("querystring"), part("header"));
    let (ctx, variables) = (part("context"), part("stageVariables"));
    let scope = Scope::new(&body)
        .path(&path)
        .querystring(&query)
        .header(&header)
        .context(&ctx)
        .stage_variables(&variables);
    let output = match trace {
        true => template.render_traced(&scope, &mut |step| eprintln!("{step}")),
        false => template.render(&scope),
    };
    let output = output.map_err(|error| error.to_string())?;
    for (name, set) in [
        ("requestOverride", output.request_override()),
        ("responseOverride", output.response_override()),
    ] {
        if *set != Data::Null {
            let set = serde_json::to_string(set).map_err(|error| error.to_string())?;
            eprintln!("$context.{name}: {set}");
        }
    }
    Ok(output.into_text())
}

fn read(path: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{path}: {error}"))
}

/// A misspelt member would be a template without values, and no word about it.
fn read_context(path: &str) -> Result<Data, String> {
    let context: Data =
        serde_json::from_slice(&read(path)?).map_err(|error| format!("{path}: {error}"))?;
    let Data::Map(members) = &context else {
        return Err(format!("{path}: a context is an object"));
    };
    let unknown = members.iter().find(|(name, _)| !MEMBERS.contains(&&**name));
    match unknown {
        Some((name, _)) => {
            let members = MEMBERS.join(", ");
            Err(format!(
                "{path}: there is no member `{name}`; there are {members}"
            ))
        }
        None => Ok(context),
    }
}
