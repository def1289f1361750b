//! Other protocols than plain HTTP through a gateway, over sockets: WebSockets, gRPC, SOAP.

mod grpc;
mod soap;
mod support;
mod web_socket;
