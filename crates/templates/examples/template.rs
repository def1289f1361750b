//! Renders a template from files: `cargo run --example template -- template.vtl --input body.json --context context.json`.
//!
//! The context file is JSON with any of the members `context`, `stageVariables`, `path`, `querystring` and `header`.
//! Prints the result; a fault is printed with its place. `--velocity` takes the dialect of Velocity 1.7; `--trace` tells
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

fn run(mut arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let (mut template, mut body, mut context) = (None, Vec::new(), Data::default());
    let (mut dialect, mut trace) = (Dialect::ApiGateway, false);
    while let Some(argument) = arguments.next() {
        let mut file = || {
            let path = arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a file"))?;
            std::fs::read(&path).map_err(|error| format!("{path}: {error}"))
        };
        match argument.as_str() {
            "--input" => body = file()?,
            "--context" => {
                context = serde_json::from_slice(&file()?).map_err(|error| error.to_string())?;
            }
            "--velocity" => dialect = Dialect::Velocity,
            "--trace" => trace = true,
            path => {
                let source = std::fs::read_to_string(path);
                template = Some(source.map_err(|error| format!("{path}: {error}"))?);
            }
        }
    }
    let source = template
        .ok_or("usage: template FILE [--input FILE] [--context FILE] [--velocity] [--trace]")?;
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
    Ok(output.into_text())
}
