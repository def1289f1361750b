//! A gateway on a real definition.
//!
//! ```text
//! cargo run --example gateway                              # a bundled pet store, with a backend of its own
//! cargo run --example gateway -- export.json               # an export of yours
//! cargo run --example gateway -- --config gateway.yaml     # a configuration file
//! ```
//!
//! `--reset-state` forgets what operators did (`state` in the configuration). The variable `LISTEN` is another address to listen on,
//! whatever the configuration says, and `RUST_LOG` says what is logged.
//!
//! It prints the routes and what is not served yet, logs one line per request, reads its configuration again on SIGHUP, and
//! ends on Ctrl-C when the requests in flight have ended.

use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use portcullis::core::{Body, Clock, RequestContext, SystemClock};
use portcullis::serve::{Server, ServerBuilder, hangup, shutdown_signal};
use portcullis::{ConfigError, Gateway, GatewayBuilder, GatewayConfig};
use portcullis_examples::{Exporters, listen};
use serde_json::{Value, json};
use tower::{Service, ServiceExt, service_fn};

const USAGE: &str = "\
usage: gateway [--reset-state] [--config gateway.yaml | export.json]

  export.json             an export of an API, in JSON or YAML; without one, a bundled pet store
  --config gateway.yaml   a configuration file: YAML, JSON or TOML
  --reset-state           forgets what operators did (`state` in the configuration)

variables:
  LISTEN                  where to listen, whatever the configuration says: 127.0.0.1:9000, [::]:8080
  METRICS_LISTEN          where `metrics` of a configuration are shown (127.0.0.1:9464)
  OTEL_EXPORTER_OTLP_ENDPOINT
                          where spans go, with `openTelemetry` in a configuration (http://localhost:4317)
  RUST_LOG                what is logged: info (the default), debug, portcullis=debug";

/// What the command line asks for.
enum Source {
    /// With the port of the backend that this process starts for it.
    PetStore(u16),
    Export(PathBuf),
    Config(PathBuf),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<_> = std::env::args().skip(1).collect();
    let given = args.len();
    args.retain(|arg| arg != "--reset-state");
    let reset = args.len() < given;
    let source = match &*args {
        [] => Source::PetStore(start_backend().await?),
        [flag, path] if flag == "--config" => Source::Config(path.into()),
        [help] if matches!(help.as_str(), "-h" | "--help") => {
            println!("{USAGE}");
            return Ok(());
        }
        [path] if !path.starts_with('-') => Source::Export(path.into()),
        [flag] if flag == "--config" => {
            return Err(format!("--config needs a file\n{USAGE}").into());
        }
        [unknown, ..] if unknown.starts_with('-') && unknown != "--config" => {
            return Err(format!("there is no option `{unknown}`\n{USAGE}").into());
        }
        [_, more, ..] => return Err(format!("`{more}` is one too many\n{USAGE}").into()),
        _ => return Err(USAGE.into()),
    };

    // What is wrong with it is told when it is loaded.
    let first = config(&source).ok().flatten();
    if reset
        && first
            .as_ref()
            .is_none_or(|config| config.state_file.is_none())
    {
        return Err("--reset-state: there is no `state` in the configuration to forget".into());
    }
    let exporters = Exporters::start("info", first.as_ref()).await?;
    let (builder, listen) = load(&source)?;
    let gateway = builder.reset_state(reset).build()?;
    print_routes(&gateway);
    let server = listen.health_path("/healthz").bind().await?;
    let handle = server.handle();
    let scheme = if handle.has_tls() { "https" } else { "http" };
    for address in handle.local_addrs() {
        println!("listening on {scheme}://{address}");
        if matches!(source, Source::PetStore(_)) {
            println!("\ntry:");
            println!("  curl -i http://{address}/demo/pets");
            println!("  curl -i http://{address}/demo/pets/2");
            println!("  curl -i -X POST http://{address}/demo/pets -d '{{\"type\": \"fish\"}}'\n");
        }
    }

    tokio::spawn(async move {
        shutdown_signal().await;
        // First, so that it ends whatever has become of the log.
        handle.shutdown();
        tracing::info!("ending when the requests in flight have ended");
    });
    let reloaded = gateway.clone();
    let listener = server.handle();
    let exported = exporters.started();
    let mut hangups = hangup()?;
    tokio::spawn(async move {
        loop {
            hangups.recv().await;
            if let Err(error) = listener.reload_tls() {
                tracing::error!(%error, "the certificate stays what it was");
            }
            if let Ok(Some(config)) = config(&source) {
                exported.compare(&config);
            }
            match load(&source).map(|(builder, _)| reloaded.reload(builder)) {
                Ok(Ok(coverage)) => tracing::info!(%coverage, "configuration read again"),
                Ok(Err(error)) => tracing::error!(%error, "nothing changed"),
                Err(error) => tracing::error!(%error, "nothing changed"),
            }
        }
    });

    server.run(logged(gateway)).await;
    exporters.end().await;
    Ok(())
}

/// The configuration of a source, if it has one.
fn config(source: &Source) -> Result<Option<GatewayConfig>, ConfigError> {
    Ok(Some(match source {
        Source::PetStore(port) => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("petstore/gateway.yaml");
            GatewayConfig::load_with(path, |name| {
                (name == "PETSTORE_PORT").then(|| port.to_string())
            })?
        }
        Source::Config(path) => GatewayConfig::load(path)?,
        Source::Export(_) => return Ok(None),
    }))
}

/// The gateway that a source describes, and where it listens.
fn load(source: &Source) -> Result<(GatewayBuilder, ServerBuilder), Box<dyn Error>> {
    if let Source::Export(path) = source {
        let export = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok((
            Gateway::builder().export(export),
            Server::builder().listen(listen("127.0.0.1:8080")),
        ));
    }
    let mut config = config(source)?.unwrap_or_default();
    if let Ok(address) = std::env::var("LISTEN") {
        config.listen = vec![address];
    }
    let server = config.server()?;
    Ok((config.gateway()?, server))
}

fn print_routes(gateway: &Gateway) {
    println!("routes:");
    let routes = gateway.routes();
    let widest = routes.iter().map(|route| route.api.len()).max();
    let width = widest.unwrap_or_default();
    for route in routes {
        let method = if route.method.is_empty() {
            "-"
        } else {
            &route.method
        };
        println!(
            "  {:width$} {method:7} {:28} {}",
            route.api, route.path, route.integration
        );
    }
    println!("{}", gateway.coverage());
}

/// One line per request.
fn logged(
    gateway: Gateway,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    service_fn(move |request: Request<Incoming>| {
        let gateway = gateway.clone();
        async move {
            let started = SystemClock::new().now();
            let context = request.extensions().get::<RequestContext>().cloned();
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let response = gateway.oneshot(request).await?;
            let fact = |name: &str| {
                let value = context.as_ref()?.get(name)?;
                Some(
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned),
                )
            };
            // Why it was refused, which the client is not told. Of an integration that failed, that is the cause.
            let refused = context
                .as_ref()
                .filter(|_| fact("integration.error").is_none())
                .and_then(RequestContext::refusal)
                .and_then(|refusal| refusal.decision().map(ToString::to_string));
            // What is not known has no field in the line.
            tracing::info!(
                client = fact("identity.sourceIp"),
                %method,
                path,
                resource = fact("resourcePath"),
                status = response.status().as_u16(),
                ms = (SystemClock::new().now() - started).as_millis(),
                error = fact("error.message"),
                refused,
                cause = fact("integration.error"),
            );
            Ok(response)
        }
    })
}

/// The pets behind the bundled pet store: a small HTTP backend on a port of its own.
async fn start_backend() -> Result<u16, Box<dyn Error>> {
    let server = Server::builder().listen("127.0.0.1:0").bind().await?;
    let port = server.handle().local_addrs()[0].port();
    tokio::spawn(server.run(service_fn(pets)));
    Ok(port)
}

async fn pets(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let all = json!([
        { "id": 1, "type": "dog", "price": 249.99 },
        { "id": 2, "type": "cat", "price": 124.99 },
        { "id": 3, "type": "bird", "price": 0.99 },
    ]);
    let path = request.uri().path().to_owned();
    let one = path
        .strip_prefix("/pets/")
        .and_then(|id| id.parse::<usize>().ok());
    let answer = match (&*path, one) {
        ("/pets", _) => Some(all),
        (_, Some(id)) => id.checked_sub(1).and_then(|index| all.get(index)).cloned(),
        _ if path.starts_with("/files/") => {
            let method = request.method().to_string();
            let body = request
                .into_body()
                .collect()
                .await
                .map(|body| body.to_bytes().len());
            Some(json!({ "method": method, "path": path, "bytes": body.unwrap_or_default() }))
        }
        _ => None,
    };
    let status = if answer.is_some() { 200 } else { 404 };
    let body = answer.unwrap_or_else(|| json!({ "error": "no such pet" }));
    Ok(json_response(status, &body))
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}
