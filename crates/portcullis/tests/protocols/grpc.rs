//! gRPC through `HTTP_PROXY`: a tonic client, the gateway, a tonic server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use futures_util::{StreamExt, TryStreamExt};
use http::uri::PathAndQuery;
use portcullis::client::{HttpProtocol, UpstreamPool};
use portcullis::{ApiSpec, Gateway};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use crate::support::{Running, http, proxy, rest};

#[derive(Clone, PartialEq, prost::Message)]
struct Pet {
    #[prost(string, tag = "1")]
    name: String,
}

fn pet(name: impl Into<String>) -> Pet {
    Pet { name: name.into() }
}

type Pets = Pin<Box<dyn Stream<Item = Result<Pet, Status>> + Send>>;
type Codec = ProstCodec<Pet, Pet>;

/// `/pets.Pets/Get` knows Rex, and says so in metadata; `List` breaks off after two; `Chat` answers each at once; `Count` counts.
#[derive(Clone)]
struct Kennel;

impl NamedService for Kennel {
    const NAME: &'static str = "pets.Pets";
}

async fn get(request: Request<Pet>) -> Result<Response<Pet>, Status> {
    let asked = request.metadata().get("x-asked").cloned();
    if request.get_ref().name != "rex" {
        let mut status = Status::with_details(Code::NotFound, "no such pet: ü", Bytes::from("why"));
        status
            .metadata_mut()
            .insert("x-near", "rex".parse().expect("ASCII"));
        return Err(status);
    }
    let mut response = Response::new(pet("Rex"));
    if let Some(asked) = asked {
        response.metadata_mut().insert("x-asked-back", asked);
    }
    Ok(response)
}

async fn list(_: Request<Pet>) -> Result<Response<Pets>, Status> {
    let pets = [
        Ok(pet("Rex")),
        Ok(pet("Mia")),
        Err(Status::data_loss("the rest ran away")),
    ];
    Ok(Response::new(stream::iter(pets).boxed()))
}

async fn chat(request: Request<Streaming<Pet>>) -> Result<Response<Pets>, Status> {
    let said = request.into_inner();
    let answers = said.map_ok(|said| pet(format!("{}!", said.name)));
    Ok(Response::new(answers.boxed()))
}

async fn count(request: Request<Streaming<Pet>>) -> Result<Response<Pet>, Status> {
    let all: Vec<_> = request.into_inner().try_collect().await?;
    let bytes: usize = all.iter().map(|pet| pet.name.len()).sum();
    Ok(Response::new(pet(format!("{} {bytes}", all.len()))))
}

impl Service<http::Request<Body>> for Kennel {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Codec::default());
            Ok(match request.uri().path() {
                "/pets.Pets/Get" => grpc.unary(service_fn(get), request).await,
                "/pets.Pets/List" => grpc.server_streaming(service_fn(list), request).await,
                "/pets.Pets/Chat" => grpc.streaming(service_fn(chat), request).await,
                "/pets.Pets/Count" => grpc.client_streaming(service_fn(count), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

async fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let incoming = TcpIncoming::from(listener);
    tokio::spawn(Server::builder().serve_with_incoming(Kennel, incoming));
    address
}

const BACKEND: &str = "http://kennel.example.com";

async fn running(api: ApiSpec) -> Running {
    let backend = backend().await;
    let pool = UpstreamPool::builder()
        .target(format!("http://{backend}"))
        .protocol(HttpProtocol::Http2);
    let pool = pool.build().expect("a good pool");
    Running::start(Gateway::builder().api(api).upstream(BACKEND, pool)).await
}

fn default_route() -> ApiSpec {
    http("/$default", &proxy(BACKEND))
}

type Grpc = tonic::client::Grpc<Channel>;

/// A client whose methods are below `prefix`.
async fn client(running: &Running, prefix: &str) -> Grpc {
    let address = format!("http://{}", running.address);
    let channel = Channel::from_shared(address.clone()).expect("an address");
    let channel = channel.connect().await.expect("it listens");
    let origin = format!("{address}{prefix}").parse().expect("an address");
    let mut grpc = Grpc::with_origin(channel, origin);
    grpc.ready().await.expect("it is open");
    grpc
}

fn method(name: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(name)
}

#[tokio::test]
async fn a_call_has_its_metadata_and_its_status() {
    let running = running(default_route()).await;
    let mut grpc = client(&running, "").await;
    let mut request = Request::new(pet("rex"));
    request
        .metadata_mut()
        .insert("x-asked", "1".parse().expect("ASCII"));
    let got = grpc
        .unary(request, method("/pets.Pets/Get"), Codec::default())
        .await;
    let response: Response<Pet> = got.expect("it is known");
    assert_eq!(
        response.metadata().get("x-asked-back").expect("metadata"),
        "1"
    );
    assert_eq!(response.into_inner(), pet("Rex"));

    grpc.ready().await.expect("it is open");
    let request = Request::new(pet("felix"));
    let got = grpc
        .unary(request, method("/pets.Pets/Get"), Codec::default())
        .await;
    let status = got.map(Response::<Pet>::into_inner).expect_err("not known");
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no such pet: ü")
    );
    assert_eq!(status.details(), b"why");
    assert_eq!(status.metadata().get("x-near").expect("metadata"), "rex");
}

#[tokio::test]
async fn a_stream_keeps_the_status_in_its_trailers() {
    let running = running(default_route()).await;
    let mut grpc = client(&running, "").await;
    let request = Request::new(pet(""));
    let listed = grpc.server_streaming(request, method("/pets.Pets/List"), Codec::default());
    let mut pets: Streaming<Pet> = listed.await.expect("a stream").into_inner();
    for name in ["Rex", "Mia"] {
        let next = pets.message().await.expect("a message");
        assert_eq!(next, Some(pet(name)));
    }
    let status = pets.message().await.expect_err("it breaks off");
    assert_eq!(
        (status.code(), status.message()),
        (Code::DataLoss, "the rest ran away")
    );
}

#[tokio::test]
async fn both_sides_talk_at_the_same_time() {
    let running = running(default_route()).await;
    let mut grpc = client(&running, "").await;
    let (say, said) = mpsc::channel(1);
    let saying = stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    let request = Request::new(Box::pin(saying));
    let chat = grpc.streaming(request, method("/pets.Pets/Chat"), Codec::default());
    let mut answers: Streaming<Pet> = chat.await.expect("a stream").into_inner();
    for word in ["wuff", "miau", "wuff"] {
        say.send(pet(word)).await.expect("it listens");
        let answer = answers.message().await.expect("a message");
        assert_eq!(answer, Some(pet(format!("{word}!"))));
    }
    drop(say);
    assert_eq!(answers.message().await.expect("the end"), None);
}

#[tokio::test]
async fn a_client_may_send_more_than_fits_anywhere() {
    let api = rest("/{proxy+}", &{
        let mut integration = proxy(&format!("{BACKEND}/{{proxy}}"));
        integration["requestParameters"] =
            json!({ "integration.request.path.proxy": "method.request.path.proxy" });
        integration["responseTransferMode"] = json!("STREAM");
        integration
    });
    let running = running(api).await;
    // The stage is in the path.
    let mut grpc = client(&running, "/prod").await;
    let many = stream::iter((0..64).map(|_| pet("x".repeat(100_000))));
    let counted = grpc.client_streaming(
        Request::new(many),
        method("/pets.Pets/Count"),
        Codec::default(),
    );
    let counted: Response<Pet> = counted.await.expect("an answer");
    assert_eq!(counted.into_inner(), pet("64 6400000"));
}

#[tokio::test]
async fn a_method_that_is_not_there_is_the_backends_to_say() {
    let running = running(default_route()).await;
    let mut grpc = client(&running, "").await;
    let request = Request::new(pet(""));
    let got = grpc
        .unary(request, method("/pets.Pets/None"), Codec::default())
        .await;
    let status = got.map(Response::<Pet>::into_inner).expect_err("not there");
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "no such method")
    );
}
