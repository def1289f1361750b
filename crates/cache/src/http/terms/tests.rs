use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

use super::{Demand, Exchange, Failure, Heuristic, Terms, Use};
use crate::http::date;
use crate::http::directives::CacheControl;

/// 2025-01-01T00:00:00Z.
const NOW: u64 = 1_735_689_600;

const HEURISTIC: Heuristic = Heuristic {
    per_mille: 100,
    most: 86_400,
};

fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(name, HeaderValue::from_str(line).unwrap());
    }
    headers
}

/// A response that was sent at once, with this `Cache-Control`.
fn terms(cache_control: &str) -> Terms {
    of(&headers(&[(CACHE_CONTROL, cache_control)]))
}

fn of(headers: &HeaderMap) -> Terms {
    of_status(StatusCode::OK, headers)
}

fn of_status(status: StatusCode, headers: &HeaderMap) -> Terms {
    let exchange = Exchange {
        asked: NOW * 1000,
        answered: NOW * 1000,
    };
    let directives = CacheControl::of(headers);
    Terms::of(status, headers, directives, false, HEURISTIC, exchange)
}

fn request(cache_control: &str) -> CacheControl {
    CacheControl::of(&headers(&[(CACHE_CONTROL, cache_control)]))
}

/// `seconds` after the response came.
fn after(seconds: u64) -> u64 {
    (NOW + seconds) * 1000
}

fn with_dates(lines: &[(HeaderName, u64)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, seconds) in lines {
        date::insert(&mut headers, name.clone(), *seconds);
    }
    headers
}

#[test]
fn the_share_of_caches_goes_before_the_age_of_all_and_that_before_the_date() {
    let mut all = with_dates(&[(DATE, NOW), (EXPIRES, NOW + 5)]);
    assert_eq!(of(&all).lifetime, 5);
    all.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=10"));
    assert_eq!(of(&all).lifetime, 10);
    all.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("max-age=10, s-maxage=1"),
    );
    assert_eq!(of(&all).lifetime, 1);
}

#[test]
fn a_date_is_compared_with_the_origin_s_own() {
    let fast = with_dates(&[(DATE, NOW + 400), (EXPIRES, NOW + 300)]);
    assert_eq!(of(&fast).lifetime, 0);
    let fast = with_dates(&[(DATE, NOW + 10), (EXPIRES, NOW + 20)]);
    assert_eq!(of(&fast).lifetime, 10);
    let none = with_dates(&[(EXPIRES, NOW + 20)]);
    assert_eq!(of(&none).lifetime, 20);
}

#[test]
fn a_targeted_field_takes_the_place_of_the_date() {
    let headers = with_dates(&[(DATE, NOW), (EXPIRES, NOW + 5)]);
    let exchange = Exchange {
        asked: NOW * 1000,
        answered: NOW * 1000,
    };
    let terms = Terms::of(
        StatusCode::OK,
        &headers,
        CacheControl::default(),
        true,
        HEURISTIC,
        exchange,
    );
    assert_eq!(terms.lifetime, 0);
}

#[test]
fn a_response_is_fresh_up_to_the_millisecond() {
    let terms = terms("max-age=2");
    assert_eq!(terms.assess(after(2) - 1, request("")), Use::Serve);
    assert_eq!(terms.assess(after(2), request("")), Use::Validate);
}

#[test]
fn the_age_is_the_larger_of_what_is_said_and_what_the_date_says() {
    let mut headers = with_dates(&[(DATE, NOW - 50)]);
    assert_eq!(of(&headers).initial_age, 50);
    headers.insert(AGE, HeaderValue::from_static("70"));
    assert_eq!(of(&headers).initial_age, 70);
    assert_eq!(of(&headers).age(after(3)), 73);
}

#[test]
fn the_time_that_the_answer_took_counts() {
    let headers = headers(&[(AGE, "10")]);
    let exchange = Exchange {
        asked: NOW * 1000 - 4000,
        answered: NOW * 1000,
    };
    let terms = Terms::of(
        StatusCode::OK,
        &headers,
        CacheControl::default(),
        false,
        HEURISTIC,
        exchange,
    );
    assert_eq!(terms.initial_age, 14);
}

#[test]
fn of_several_ages_the_first_counts_and_what_is_no_number_is_not_there() {
    for (lines, expected) in [
        (&["7200"][..], 7200),
        (&["0, 7200"], 0),
        (&["7200, 0"], 7200),
        (&["0", "7200"], 0),
        (&["abc"], 0),
        (&["-7200"], 0),
        (&["7200.0"], 0),
        (&["7200;foo=bar"], 7200),
        (&["2147483649"], 1 << 31),
        (&[""], 0),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| (AGE, *line)).collect();
        assert_eq!(of(&headers(&lines)).initial_age, expected, "{lines:?}");
    }
}

#[test]
fn a_tenth_of_the_time_since_the_last_change_is_taken_where_nothing_is_said() {
    let modified = |ago| with_dates(&[(DATE, NOW), (LAST_MODIFIED, NOW - ago)]);
    assert_eq!(of(&modified(1000)).lifetime, 100);
    assert_eq!(of(&modified(100_000_000)).lifetime, 86_400);
    assert_eq!(of_status(StatusCode::CREATED, &modified(1000)).lifetime, 0);
    let mut public = modified(1000);
    public.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
    assert_eq!(of_status(StatusCode::CREATED, &public).lifetime, 100);
    assert_eq!(of(&HeaderMap::new()).lifetime, 0);
}

#[test]
fn a_request_can_ask_for_less_age_and_more_freshness() {
    let terms = terms("max-age=100");
    assert_eq!(terms.assess(after(10), request("max-age=10")), Use::Serve);
    assert_eq!(terms.assess(after(10), request("max-age=9")), Use::Validate);
    assert_eq!(terms.assess(after(0), request("max-age=0")), Use::Validate);
    assert_eq!(terms.assess(after(10), request("min-fresh=90")), Use::Serve);
    assert_eq!(
        terms.assess(after(10), request("min-fresh=91")),
        Use::Validate
    );
    assert_eq!(terms.assess(after(10), request("no-cache")), Use::Validate);
}

#[test]
fn a_request_can_take_what_is_stale_unless_the_origin_forbids_it() {
    let old = |cache_control| terms(cache_control).assess(after(20), request("max-stale=10"));
    assert_eq!(old("max-age=10"), Use::Serve);
    assert_eq!(old("max-age=9"), Use::Validate);
    assert_eq!(old("max-age=10, must-revalidate"), Use::Validate);
    assert_eq!(old("max-age=10, proxy-revalidate"), Use::Validate);
    assert_eq!(old("s-maxage=10"), Use::Validate);
    assert_eq!(old("max-age=10, no-cache"), Use::Validate);
}

#[test]
fn what_is_stale_is_used_while_another_is_fetched() {
    let terms = terms("s-maxage=10, stale-while-revalidate=5");
    assert_eq!(
        terms.assess(after(10), request("")),
        Use::ServeAndRevalidate
    );
    assert_eq!(terms.assess(after(15), request("")), Use::Validate);
    let strict = self::terms("max-age=10, must-revalidate, stale-while-revalidate=5");
    assert_eq!(strict.assess(after(10), request("")), Use::Validate);
}

#[test]
fn what_is_stale_replaces_an_error_within_the_origin_s_bounds() {
    let may = |cache_control, failure| {
        terms(cache_control).may_replace_failure(after(15), request(""), failure, 0)
    };
    assert!(may("max-age=10, stale-if-error=6", Failure::Status));
    assert!(may("s-maxage=10, stale-if-error=6", Failure::Disconnected));
    assert!(!may("max-age=10, stale-if-error=5", Failure::Status));
    assert!(!may(
        "max-age=10, must-revalidate, stale-if-error=6",
        Failure::Disconnected
    ));
    assert!(!may(
        "max-age=10, no-cache, stale-if-error=6",
        Failure::Disconnected
    ));
}

#[test]
fn silence_of_the_origin_is_reason_enough_unless_it_says_otherwise() {
    let may = |cache_control, failure, asked| {
        terms(cache_control).may_replace_failure(after(15), request(asked), failure, 60)
    };
    assert!(may("max-age=10", Failure::Disconnected, ""));
    assert!(!may("max-age=10", Failure::Status, ""));
    assert!(!may("s-maxage=10", Failure::Disconnected, ""));
    assert!(!may("max-age=10", Failure::Disconnected, "no-cache"));
}

#[test]
fn it_is_kept_as_long_as_it_may_be_of_use() {
    let useful =
        |cache_control, validated| terms(cache_control).useful_for(after(0), validated, 30, 60);
    assert_eq!(useful("max-age=10", false), 40_000);
    assert_eq!(useful("max-age=10", true), 70_000);
    assert_eq!(useful("max-age=0", false), 0);
    assert_eq!(useful("max-age=0", true), 60_000);
    assert_eq!(useful("max-age=0, stale-if-error=5", false), 5000);
    assert_eq!(useful("max-age=10, must-revalidate", false), 10_000);
    assert_eq!(useful("max-age=10, no-cache", false), 0);
    assert_eq!(
        useful("s-maxage=10, stale-while-revalidate=5", false),
        15_000
    );
}

#[test]
fn a_soft_purge_makes_it_stale_and_no_more() {
    let terms = terms("max-age=100, stale-while-revalidate=10").stale_from(after(5));
    assert_eq!(terms.assess(after(5), request("")), Use::ServeAndRevalidate);
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        numbers in any::<[u32; 4]>(),
        demand in 0_usize..4,
        received: u64,
    ) {
        let [initial_age, lifetime, stale_while_revalidate, stale_if_error] = numbers;
        let terms = Terms {
            received, initial_age, lifetime, stale_while_revalidate, stale_if_error,
            demand: Demand::ALL[demand],
        };
        prop_assert_eq!(Terms::from_bytes(received, &terms.to_bytes()), Some(terms));
    }

    #[test]
    fn no_bytes_and_no_times_panic(bytes in prop::collection::vec(any::<u8>(), 0..24), now: u64, received in 0..u64::MAX / 2) {
        if let Some(terms) = Terms::from_bytes(received, &bytes) {
            let now = now / 2;
            terms.assess(now, CacheControl::default());
            terms.useful_for(now, true, u32::MAX, u32::MAX);
            terms.may_replace_failure(now, CacheControl::default(), Failure::Status, u32::MAX);
            terms.stale_from(now);
        }
    }

    #[test]
    fn a_served_response_is_never_older_than_its_lifetime(
        age in 0_u32..200, lifetime in 0_u32..200, later in 0_u64..400,
    ) {
        let headers = headers(&[(AGE, &age.to_string()), (CACHE_CONTROL, &format!("max-age={lifetime}"))]);
        let terms = of(&headers);
        let fresh = terms.assess(after(later), CacheControl::default()) == Use::Serve;
        prop_assert_eq!(fresh, u64::from(age) + later < u64::from(lifetime));
    }
}
