//! Who gets which variant: shares, places that stay, testers, and what services behind are told.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Request, header};
use portcullis_canary::{Carry, Forced, SigningKey, Split, SplitBuilder, Sticky, StickyCookie};
use portcullis_core::{Connection, Head, ManualClock, Release, RequestContext};
use proptest::prelude::*;

const USER: HeaderName = HeaderName::from_static("x-user");
const RELEASE: HeaderName = HeaderName::from_static("x-release");
const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");

/// Chance that is the same in each run.
fn seeded(builder: SplitBuilder) -> SplitBuilder {
    let generator = Mutex::new(0x2545_f491_4f6c_dd1d_u64);
    builder.chance(move || {
        // SplitMix64.
        let mut state = generator.lock().expect("nobody panics with it");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

fn request(headers: &[(HeaderName, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in headers {
        let value = value.parse().expect("a value");
        request.headers_mut().append(name, value);
    }
    request
}

fn chosen(split: &Split, headers: &[(HeaderName, &str)]) -> String {
    let choice = split.begin(&mut request(headers));
    split.name(&choice).to_owned()
}

fn of_user(split: &Split, user: u32) -> String {
    chosen(split, &[(USER, &format!("user-{user}"))])
}

fn sticky_by_user(percent: f64) -> Split {
    let split = Split::builder()
        .variant("v2", percent)
        .sticky(Sticky::header(USER));
    split.build().expect("a split")
}

#[test]
fn of_100_000_requests_7_5_percent_within_0_3_are_the_canarys() {
    let split = seeded(Split::builder().variant("v2", 7.5))
        .build()
        .expect("a split");
    let canary = (0..100_000).filter(|_| chosen(&split, &[]) == "v2").count();
    assert!((7_200..=7_800).contains(&canary), "{canary}");
}

#[test]
fn of_100_000_users_7_5_percent_within_0_3_are_the_canarys() {
    let split = sticky_by_user(7.5);
    let canary = (0..100_000)
        .filter(|user| of_user(&split, *user) == "v2")
        .count();
    assert!((7_200..=7_800).contains(&canary), "{canary}");
}

#[test]
fn nought_is_never_and_a_hundred_is_always() {
    let split = seeded(Split::builder().variant("v2", 0.0))
        .build()
        .expect("a split");
    assert!((0..10_000).all(|_| chosen(&split, &[]) == "production"));
    split.set_weight("v2", 100.0).expect("a share");
    assert!((0..10_000).all(|_| chosen(&split, &[]) == "v2"));
    split.set_weight("v2", 99.99).expect("a share");
    let canary = (0..100_000).filter(|_| chosen(&split, &[]) == "v2").count();
    assert!((99_960..100_000).contains(&canary), "{canary}");
}

#[test]
fn whoever_is_in_at_10_percent_is_in_at_25() {
    let split = sticky_by_user(10.0);
    let users = 0..20_000;
    let before: Vec<_> = users.clone().map(|user| of_user(&split, user)).collect();
    split.set_weight("v2", 25.0).expect("a share");
    let after: Vec<_> = users.map(|user| of_user(&split, user)).collect();
    let moved = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after);
    let moved: Vec<_> = moved.collect();
    assert!(
        moved
            .iter()
            .all(|(before, after)| *before == "production" && *after == "v2")
    );
    // Fifteen of a hundred.
    assert!((2_800..=3_200).contains(&moved.len()), "{}", moved.len());
}

/// Whoever comes back is drawn no second time: not the canary's users, and not the others, whose share would melt away.
#[test]
fn over_a_week_of_returning_clients_nobody_moves_and_the_share_does_not_drift() {
    let cookie = StickyCookie::new("release").signed(SigningKey::new([7; 32]).expect("a key"));
    let split = Split::builder()
        .variant("v2", 10.0)
        .sticky(Sticky::own_cookie(cookie));
    let split = seeded(split).build().expect("a split");
    let mut jars: HashMap<u32, (String, String)> = HashMap::new();
    let mut given = 0;
    for day in 0..7 {
        for client in 0..5_000 {
            // Some come each day, some now and then, and each of them several times.
            if (client + day) % (1 + client % 3) != 0 {
                continue;
            }
            for _ in 0..3 {
                let jar = jars.get(&client);
                let headers = jar.map(|(cookie, _)| (header::COOKIE, cookie.as_str()));
                let mut request = request(headers.as_slice());
                let choice = split.begin(&mut request);
                let mut answer = HeaderMap::new();
                choice.decorate(&mut answer);
                let own = split.name(&choice).to_owned();
                if let Some(line) = answer.get(header::SET_COOKIE) {
                    given += 1;
                    let pair = line
                        .to_str()
                        .expect("text")
                        .split(';')
                        .next()
                        .unwrap_or_default();
                    jars.insert(client, (pair.to_owned(), own));
                } else {
                    assert_eq!(Some(&own), jar.map(|(_, before)| before), "client {client}");
                }
            }
        }
        let canary = jars.values().filter(|(_, own)| own == "v2").count();
        let share = canary as f64 / jars.len() as f64;
        assert!((share - 0.1).abs() < 0.015, "day {day}: {share}");
    }
    assert_eq!(given, 5_000, "each client gets one cookie");
    assert_eq!(split.forgeries(), 0);
}

#[test]
fn a_forged_cookie_is_no_identity_and_is_replaced() {
    let key = || SigningKey::new([7; 32]).expect("a key");
    let signed = |key| {
        let cookie = StickyCookie::new("release").signed(key);
        let split = Split::builder()
            .variant("v2", 50.0)
            .sticky(Sticky::own_cookie(cookie));
        split.build().expect("a split")
    };
    let (split, other) = (
        signed(key()),
        signed(SigningKey::new([8; 32]).expect("a key")),
    );
    let cookie_of = |split: &Split, cookie: Option<&str>| {
        let headers = cookie.map(|cookie| (header::COOKIE, cookie));
        let mut answer = HeaderMap::new();
        split
            .begin(&mut request(headers.as_slice()))
            .decorate(&mut answer);
        let line = answer.get(header::SET_COOKIE)?.to_str().expect("text");
        Some(line.split(';').next().unwrap_or_default().to_owned())
    };
    let ours = cookie_of(&split, None).expect("a cookie");
    assert_eq!(cookie_of(&split, Some(&ours)), None);
    let theirs = cookie_of(&other, None).expect("a cookie");
    for (index, forged) in [theirs.as_str(), "release=0000000000000000", "release="]
        .iter()
        .enumerate()
    {
        assert!(cookie_of(&split, Some(forged)).is_some(), "{forged}");
        assert_eq!(split.forgeries(), index as u64 + 1);
    }
}

#[test]
fn clients_are_known_by_a_cookie_of_the_application_or_else_by_their_address() {
    let sticky = Sticky::cookie("session").or(Sticky::client_address());
    let split = Split::builder().variant("v2", 50.0).sticky(sticky);
    let split = seeded(split).build().expect("a split");
    let by_address = |address: &str, cookie: Option<&str>| {
        let mut request = request(cookie.map(|own| (header::COOKIE, own)).as_slice());
        let context = RequestContext::of(&mut request);
        let peer = format!("{address}:4711").parse().expect("an address");
        context.set_connection(Connection::new(peer));
        let choice = split.choose(&Head::of(&request));
        split.name(&choice).to_owned()
    };
    for number in 0..50 {
        let (v4, v6) = (
            format!("192.0.2.{number}"),
            format!("[2001:db8:0:{number}::1]"),
        );
        assert_eq!(by_address(&v4, None), by_address(&v4, None));
        // One client has 64 bits of addresses.
        assert_eq!(
            by_address(&v6, None),
            by_address(&v6.replace("::1", "::2"), None)
        );
        let session = format!("a=b; session={number}");
        assert_eq!(
            by_address(&v4, Some(&session)),
            by_address(&v6, Some(&session))
        );
    }
}

#[test]
fn clients_are_known_by_their_principal() {
    let split = Split::builder()
        .variant("v2", 50.0)
        .sticky(Sticky::principal());
    let split = seeded(split).build().expect("a split");
    let of = |user: u32| {
        let mut request = request(&[]);
        let context = RequestContext::of(&mut request);
        context.update_identity(|own| own.user_arn = Some(format!("arn:{user}").into()));
        let choice = split.begin(&mut request);
        split.name(&choice).to_owned()
    };
    let first: Vec<_> = (0..200).map(of).collect();
    assert_eq!(first, (0..200).map(of).collect::<Vec<_>>());
    assert!(first.iter().any(|own| own == "v2") && first.iter().any(|own| own == "production"));
}

#[test]
fn another_salt_draws_other_users() {
    let salted = |salt: &str| {
        let split = Split::builder()
            .variant("v2", 50.0)
            .salt(salt)
            .sticky(Sticky::header(USER));
        let split = split.build().expect("a split");
        (0..1_000)
            .map(|user| of_user(&split, user))
            .collect::<Vec<_>>()
    };
    assert_eq!(salted("a"), salted("a"));
    let same = salted("a")
        .into_iter()
        .zip(salted("b"))
        .filter(|(a, b)| a == b)
        .count();
    assert!((400..600).contains(&same), "{same}");
}

#[test]
fn a_tester_gets_what_the_token_says_until_it_is_disabled() {
    let clock = ManualClock::at_unix(1_000);
    let forced = Forced::header(RELEASE).signed(SigningKey::new([7; 32]).expect("a key"));
    let split = Split::builder().variant("v2", 0.0).variant("v3", 100.0);
    let split = split
        .forced(forced.clone())
        .clock(clock.clone())
        .build()
        .expect("a split");
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000);
    let of = |variant| chosen(&split, &[(RELEASE, &forced.token(variant, until))]);
    assert_eq!(
        (of("v2"), of("production")),
        ("v2".to_owned(), "production".to_owned())
    );
    assert_eq!(of("v4"), "v3");
    assert_eq!(chosen(&split, &[(RELEASE, "v2")]), "v3");
    split.disable("v2").expect("there is one");
    assert_eq!(of("v2"), "v3");
    split.set_weight("v2", 0.0).expect("a share");
    assert_eq!(of("v2"), "v2");
    clock.advance(Duration::from_secs(1_000));
    assert_eq!(of("v2"), "v3");
    assert_eq!(split.forgeries(), 2);
}

#[test]
fn services_behind_are_told_and_clients_are_not_believed() {
    let split = |trusted| {
        let split = Split::builder().variant("v2", 0.0);
        let carry = Carry::header(SERVED_BY).trust_inbound(trusted);
        split.carry(carry).build().expect("a split")
    };
    let told = |split: &Split, inbound: &str| {
        let mut request = request(&[(SERVED_BY, inbound), (SERVED_BY, "again")]);
        split.begin(&mut request);
        assert_eq!(request.headers().get_all(SERVED_BY).iter().count(), 1);
        request.headers()[SERVED_BY]
            .to_str()
            .expect("text")
            .to_owned()
    };
    assert_eq!(told(&split(false), "v2"), "production");
    assert_eq!(told(&split(true), "v2"), "v2");
    assert_eq!(told(&split(true), "v9"), "production");
}

#[test]
fn the_context_says_which_release_serves_the_request() {
    let split = Split::new("v2", 0.0).expect("a split");
    let release = || {
        let mut request = request(&[]);
        let context = RequestContext::of(&mut request).clone();
        split.begin(&mut request);
        (context.release(), context.get("isCanaryRequest"))
    };
    assert_eq!(release(), (Release::Production, Some(false.into())));
    split.promote("v2").expect("there is one");
    assert_eq!(release(), (Release::Canary("v2".into()), Some(true.into())));
}

#[test]
fn a_change_is_seen_whole() {
    let split = Split::builder()
        .variant("a", 100.0)
        .variant("b", 0.0)
        .build()
        .expect("a split");
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for turn in 0..2_000 {
                let name = if turn % 2 == 0 { "b" } else { "a" };
                split.promote(name).expect("there is one");
            }
        });
        let seen = Cell::new(0);
        while !changes.is_finished() || seen.get() == 0 {
            // Between one whole change and the next, production never has a share.
            assert_ne!(chosen(&split, &[]), "production");
            seen.set(seen.get() + 1);
        }
    });
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(cookie in ".{0,60}", token in ".{0,90}", served_by in ".{0,20}") {
        let key = SigningKey::new([7; 16]).expect("a key");
        let split = Split::builder()
            .variant("v2", 50.0)
            .sticky(Sticky::own_cookie(StickyCookie::new("r").signed(key.clone())))
            .forced(Forced::cookie("t").signed(key))
            .carry(Carry::header(SERVED_BY).trust_inbound(true))
            .build()
            .expect("a split");
        let mut request = Request::new(());
        for (name, text) in [
            (header::COOKIE, format!("r={cookie}")),
            (header::COOKIE, format!("t={token}")),
            (SERVED_BY, served_by),
        ] {
            if let Ok(value) = http::HeaderValue::from_bytes(text.as_bytes()) {
                request.headers_mut().append(name, value);
            }
        }
        split.begin(&mut request);
    }
}
