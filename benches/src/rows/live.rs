//! The snapshot of the configuration that each request takes.

use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};

use portcullis_core::Live;

use super::surroundings::{Hello, answer, bare, pet, request};
use crate::row::{Case, Goal, Who};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("live", "load")
            .row(Who::Bare, bare)
            .row(Who::Portcullis, || {
                let (uri, live) = (pet(), Live::new(200_u64));
                move || {
                    let snapshot = live.load();
                    black_box(**snapshot);
                    answer(&mut Hello, request(&uri))
                }
            })
            .row(Who::Peer("rwlock"), || {
                let (uri, lock) = (pet(), RwLock::new(Arc::new(200_u64)));
                move || {
                    let snapshot = Arc::clone(&lock.read().unwrap_or_else(PoisonError::into_inner));
                    black_box(*snapshot);
                    answer(&mut Hello, request(&uri))
                }
            })
            .goal(Goal::OverBare(100.0))
            .goal(Goal::AllocationsOverBare(0.0)),
    ]
}
