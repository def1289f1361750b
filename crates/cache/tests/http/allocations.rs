//! What a hit allocates.

use http::Method;
use portcullis_cache::http::HttpCacheRules;
use tower::{Service, ServiceExt};

use crate::origin::{Scene, hello, request};

#[test]
fn a_hit_boxes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let quiet = HttpCacheRules::builder().without_status();
    for (rules, most) in [(quiet, 4), (HttpCacheRules::builder(), 5)] {
        let scene = Scene::with(rules, |_, _| {
            hello(&[
                ("cache-control", "max-age=60"),
                ("content-type", "text/plain"),
                ("etag", "\"1\""),
            ])
        });
        runtime.block_on(scene.get("/"));
        let mut service = scene.service();
        let counted = runtime.block_on(async {
            let ready = service.ready().await.unwrap();
            let mut request = Some(request(Method::GET, "/", &[]));
            allocation_counter::measure(|| {
                let future = ready.call(request.take().unwrap());
                let mut future = std::pin::pin!(future);
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                let response = future.as_mut().poll(&mut cx);
                assert!(response.is_ready());
            })
        });
        assert!(
            counted.count_total <= most,
            "{} allocations",
            counted.count_total
        );
    }
}
