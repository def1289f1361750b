//! CORS of a document.

use portcullis_definition::{Cors, Pointer};

use crate::run::{At, Run};

const CORS: &str = "x-amazon-apigateway-cors";

impl<'a> Run<'a> {
    /// The CORS configuration of the document.
    pub(crate) fn cors(&mut self, root: &At<'a>) -> Option<Cors> {
        let at = self.object(root, CORS)?;
        self.known(
            &at,
            &[
                "allowCredentials",
                "allowHeaders",
                "allowMethods",
                "allowOrigins",
                "exposeHeaders",
                "maxAge",
            ],
        );
        let mut cors = Cors::default();
        cors.allow_credentials = self.boolean(&at, "allowCredentials").unwrap_or(false);
        cors.allow_headers = self.texts(&at, "allowHeaders");
        cors.allow_methods = self.texts(&at, "allowMethods");
        cors.allow_origins = self.texts(&at, "allowOrigins");
        cors.expose_headers = self.texts(&at, "exposeHeaders");
        cors.max_age = self.max_age(&at);
        for (index, origin) in cors.allow_origins.iter().enumerate() {
            self.check_origin(&at.pointer.child("allowOrigins").child(index), origin);
        }
        for (index, verb) in cors.allow_methods.iter().enumerate() {
            if !matches!(
                verb.as_str(),
                "*" | "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS"
            ) {
                self.fault(
                    &at.pointer.child("allowMethods").child(index),
                    "cors/method",
                    format!("`{verb}` is no verb"),
                    "write a verb in capitals, or `*`",
                );
            }
        }
        if cors.allow_credentials && cors.allow_origins.iter().any(|origin| origin == "*") {
            self.fault(
                &at.pointer,
                "cors/credentials",
                "credentials are not allowed together with the origin `*`",
                "name the origins",
            );
        }
        Some(cors)
    }

    fn max_age(&mut self, at: &At<'a>) -> Option<i32> {
        let seconds = self.integer(at, "maxAge")?;
        if (-1..=86_400).contains(&seconds) {
            return i32::try_from(seconds).ok();
        }
        self.fault(
            &at.pointer.child("maxAge"),
            "cors/max-age",
            format!("{seconds} seconds are not between -1 and 86400"),
            "keep a preflight for at most a day",
        );
        None
    }

    fn check_origin(&mut self, pointer: &Pointer, origin: &str) {
        if matches!(origin, "*" | "http://*" | "https://*") {
            return;
        }
        let host = origin
            .split_once("://")
            .filter(|(scheme, _)| !scheme.is_empty());
        let is_exact = host.is_some_and(|(_, host)| {
            !host.is_empty() && !host.contains(['*', '/', ' ', '?', '#', '@'])
        });
        if !is_exact {
            self.fault(
                pointer,
                "cors/origin",
                format!("`{origin}` is no origin"),
                "write a scheme and a host, `*`, `http://*` or `https://*`",
            );
        }
    }
}
