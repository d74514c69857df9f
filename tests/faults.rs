//! What callers see while the table fails, and that nothing is lost or counted twice when it comes back.

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use gatepost::{
    activity::Channel,
    api_key::{ApiKey, ENTROPY_LEN, HashSecret},
    bucket::Bucket,
    io::{
        caller_register::CallerRegister,
        callers::Callers,
        client_rows::Grant,
        counters::{Counted, Counters, Urgency, read_hour},
        key_register::KeyRegister,
        keys::Keys,
        rate_limits::{RateLimitError, RateLimits},
    },
    rate_limit::Quota,
};
use gatepost_local::aws::dynamodb::DynamoDb;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    proxy::{Fault, KEY_THROTTLED, Proxy, THROTTLED},
    stack::{Answer, Stack},
    table,
};

/// A `DynamoDB` endpoint of its own, and the way to it that can fail.
struct FaultyTable {
    _table: DynamoDb,
    /// Of the table itself: what the test looks at.
    direct: String,
    /// Through the fault.
    url: String,
    proxy: Proxy,
}

impl FaultyTable {
    async fn start() -> Self {
        let table = DynamoDb::start(None).await.expect("a table");
        let proxy = Proxy::start(&table.url()).await;
        Self { direct: table.url(), _table: table, url: proxy.url(), proxy }
    }

    /// Connections that are open break, with whatever is under way on them.
    fn set(&self, fault: Fault) {
        self.proxy.set(fault);
    }
}

/// A share is an eighth: one a minute and a burst of 18, of which 13 and a half are there at once. The half absorbs that
/// requests are not decided in the order in which they came.
const LOCAL_SHARE: usize = 13;
const SMALL_BURST: &str = "144";
/// A local share that no test uses up.
const LARGE_BURST: &str = "8000";

const OUTAGES: [Fault; 4] = [Fault::Close, Fault::Hang, Fault::Answer(&THROTTLED), Fault::LoseAnswers];

/// With the burst of the whole, of which a local share is an eighth.
async fn stack_on(table: &FaultyTable, burst: &str) -> Stack {
    let limits = [
        ("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "8"),
        ("GATEPOST_LIMITS_BURST", burst),
        ("GATEPOST_LIMITS_TIMEOUT_MS", "1000"),
    ];
    Stack::start_with(&["--dynamodb-endpoint", &table.url], &limits).await
}

/// One that has looked its key up, with the whole local share left.
async fn warm_stack_on(table: &FaultyTable, burst: &str) -> Stack {
    let stack = stack_on(table, burst).await;
    recovered(&stack).await;
    stack
}

async fn ask(stack: &Stack, flow: &str) -> Answer {
    stack.validate(json!({"email": "nobody", "flow": flow})).await
}

fn series(stack: &Stack, flow: &str) -> String {
    format!("{flow}/{}", ApiKey::parse(&stack.api_key).expect("the development key").id())
}

#[track_caller]
fn expect_unavailable(answer: Answer) {
    let answer = answer.expect_status(503);
    assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("1", "no-store"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let mut problem = answer.json();
    assert!(problem["request_id"].take().is_string());
    let expected = json!({
        "type": "urn:gatepost:problem:unavailable", "title": "Unavailable", "status": 503, "detail": "try again later",
        "request_id": null,
    });
    assert_eq!(problem, expected);
}

/// The table is asked again by itself: nobody restarts anything.
async fn recovered(stack: &Stack) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask(stack, "login").await.status.as_u16() != 200 {
        assert!(Instant::now() < deadline, "still unavailable");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn while_the_table_fails_sign_up_has_a_local_share_and_account_flows_fail_closed() {
    for outage in OUTAGES {
        let table = FaultyTable::start().await;
        let stack = warm_stack_on(&table, SMALL_BURST).await;
        table.set(outage);
        for answer in join_all(["password_reset", "login"].map(|flow| ask(&stack, flow))).await {
            expect_unavailable(answer);
        }
        let flows = ["signup", "newsletter", "other"].iter().cycle().take(2 * LOCAL_SHARE);
        let answers = join_all(flows.map(|flow| ask(&stack, flow))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        let of = |status: u16| statuses.iter().filter(|found| **found == status).count();
        assert_eq!((of(200), of(429)), (LOCAL_SHARE, LOCAL_SHARE), "{outage:?}: {statuses:?}");
        let refused = answers.iter().find(|answer| answer.status.as_u16() == 429).expect("counted above");
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1..=61).contains(&wait), "{outage:?}: {wait}");
        table.set(Fault::None);
        recovered(&stack).await;
    }
}

#[tokio::test]
async fn a_batch_beyond_the_local_share_is_told_to_come_back_and_not_to_be_smaller() {
    let table = FaultyTable::start().await;
    let stack = warm_stack_on(&table, SMALL_BURST).await;
    let batch = |size: usize| json!({"emails": vec!["nobody"; size]});
    table.set(Fault::Answer(&THROTTLED));
    expect_unavailable(stack.post_json("/v1/validate/batch", &batch(LOCAL_SHARE + 1)).await);
    let admitted = stack.post_json("/v1/validate/batch", &batch(LOCAL_SHARE)).await.expect_status(200);
    // What is left of a share that other instances do not know of is nothing to be promised.
    assert_eq!((admitted.headers.get("ratelimit"), admitted.headers.get("ratelimit-policy")), (None, None));
    table.set(Fault::None);
    recovered(&stack).await;
    stack.post_json("/v1/validate/batch", &batch(LOCAL_SHARE + 1)).await.expect_status(200);
}

#[tokio::test]
async fn a_key_that_was_good_is_believed_for_a_quarter_of_an_hour_while_the_table_fails_and_no_longer() {
    let table = FaultyTable::start().await;
    let keys = Keys::new(table::client(&table.url), HashSecret::new("a secret"), Duration::from_secs(60));
    let (known, unknown) = (ApiKey::from_entropy([3; ENTROPY_LEN]), ApiKey::from_entropy([4; ENTROPY_LEN]));
    let register = KeyRegister { table: table::client(&table.url), secret: HashSecret::new("a secret") };
    register.create(&known, &Grant::default(), SystemTime::UNIX_EPOCH).await.expect("stored");
    let start = Bucket::parse("2026-11-23T02:10").expect("a time").start();
    let believed = async |key: &ApiKey, minutes| {
        let client = keys.client_of(key, start + Duration::from_mins(minutes)).await;
        client.map(|client| client.map(|client| client.id)).map_err(|_| "unavailable")
    };
    let good = Ok(Some(known.id().to_owned()));
    assert_eq!((believed(&known, 0).await, believed(&unknown, 0).await), (good.clone(), Ok(None)));
    table.set(Fault::Close);
    for (minutes, of_known) in [(2, good.clone()), (14, good.clone()), (16, Err("unavailable"))] {
        let found = (believed(&known, minutes).await, believed(&unknown, minutes).await);
        assert_eq!(found, (of_known, Err("unavailable")), "after {minutes} minutes");
    }
    table.set(Fault::None);
    // A pause of the table's own is over by then.
    assert_eq!(believed(&known, 17).await, good);
}

#[tokio::test]
async fn a_key_that_nobody_looked_up_yet_cannot_be_believed_while_the_table_fails() {
    for outage in OUTAGES {
        let table = FaultyTable::start().await;
        let stack = stack_on(&table, LARGE_BURST).await;
        table.set(outage);
        for flow in ["signup", "login"] {
            // A look-up has more time than the limit: here a break ends it.
            let asked = ask(&stack, flow);
            let end = async {
                if outage == Fault::Hang {
                    sleep(Duration::from_millis(300)).await;
                    table.set(outage);
                }
            };
            let (answer, ()) = tokio::join!(asked, end);
            expect_unavailable(answer);
        }
        table.set(Fault::None);
        recovered(&stack).await;
        ask(&stack, "signup").await.expect_status(200);
    }
}

#[tokio::test]
async fn garbage_is_refused_without_asking_a_table_that_fails() {
    let table = FaultyTable::start().await;
    let stack = stack_on(&table, SMALL_BURST).await;
    table.set(Fault::Hang);
    for headers in [&[][..], &[("x-api-key", "garbage")]] {
        stack.send("POST", "/v1/validate", headers, "").await.expect_status(401);
    }
}

#[tokio::test]
async fn what_was_counted_before_during_and_after_an_outage_is_counted_once() {
    let table = FaultyTable::start().await;
    let stack = warm_stack_on(&table, LARGE_BURST).await;
    for outage in OUTAGES {
        for fault in [Fault::None, outage, Fault::None] {
            table.set(fault);
            for answer in join_all((0..3).map(|_| ask(&stack, "signup"))).await {
                answer.expect_status(200);
            }
            if fault != Fault::None {
                write_in_vain(&stack, &table, fault).await;
            }
        }
        recovered(&stack).await;
    }
    let expected = [("total", 36), ("reject", 36)];
    let counted = table::counted_at_last(&table.direct, &series(&stack, "signup"), &expected).await;
    assert_eq!(counted, expected.map(|(channel, count)| (channel.to_owned(), count)).into());
}

/// A scan writes the counters first. A table that hangs comes back in the middle: then the flush that was under way may
/// have succeeded, and the scan with it.
async fn write_in_vain(stack: &Stack, table: &FaultyTable, fault: Fault) {
    let scan = stack.send("POST", "/local/scan", &[], "");
    let end = async {
        if fault == Fault::Hang {
            sleep(Duration::from_millis(300)).await;
            table.set(Fault::None);
        }
    };
    let answer = tokio::join!(scan, end).0;
    if fault != Fault::Hang {
        answer.expect_status(503);
    }
}

#[tokio::test]
async fn what_is_counted_while_a_write_is_under_way_is_part_of_the_next_one() {
    let table = FaultyTable::start().await;
    let counters = Counters::new(table::client(&table.url), "writer".to_owned(), HashSecret::new("secret"));
    let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
    let request = Counted {
        series: "signup/k1",
        channels: &[Channel::Total],
        domain: None,
        network: None,
        urgency: Urgency::Soon,
    };
    let count = || counters.count(&request, bucket);
    let direct = &table.direct;
    let written = |total| async move { table::counted_at_last(direct, "signup/k1", &[("total", total)]).await };
    count();
    table.set(Fault::HoldAnswers);
    let meanwhile = async {
        assert_eq!(written(1).await, [("total".to_owned(), 1)].into());
        count();
        table.set(Fault::None);
    };
    tokio::join!(counters.flush(bucket.next()), meanwhile).0.expect("the answer came late");
    counters.flush(bucket.next()).await.expect("all is well");
    assert_eq!(written(2).await, [("total".to_owned(), 2)].into());
}

fn one_request(urgency: Urgency) -> Counted<'static> {
    Counted { series: "validate/unknown", channels: &[Channel::Total], domain: None, network: None, urgency }
}

#[tokio::test]
async fn what_an_idle_instance_counted_long_ago_counts_when_it_wakes_where_a_scan_still_looks() {
    let table = FaultyTable::start().await;
    let counters = Counters::new(table::client(&table.direct), "writer".to_owned(), HashSecret::new("secret"));
    let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
    (0..3).for_each(|_| counters.count(&one_request(Urgency::WithBucket), bucket));
    counters.flush_due(bucket.start()).await.expect("nothing is due");
    assert_eq!(table::counted(&table.direct).await, [].into());
    let woken = bucket.plus(9);
    counters.flush(woken).await.expect("all is well");
    let hour = read_hour(&table::client(&table.direct), woken).await.expect("all is well");
    assert_eq!(hour.keys().collect::<Vec<_>>(), [&woken]);
    assert_eq!(hour[&woken]["validate/unknown"].tally["total"], 3);
}

#[tokio::test]
async fn a_write_of_counters_that_arrives_late_sets_nothing_back() {
    let table = FaultyTable::start().await;
    let writer = || Counters::new(table::client(&table.direct), "writer".to_owned(), HashSecret::new("secret"));
    let bucket = Bucket::parse("2026-11-23T02:10").expect("a time");
    let [late, current] = [writer(), writer()];
    late.count(&one_request(Urgency::Soon), bucket);
    (0..3).for_each(|_| current.count(&one_request(Urgency::Soon), bucket));
    for counters in [&current, &late] {
        counters.flush(bucket).await.expect("all is well");
    }
    assert_eq!(table::counted(&table.direct).await, [("validate/unknown|total".to_owned(), 3)].into());
}

#[tokio::test]
async fn a_refusal_by_the_local_share_is_counted_like_any_other() {
    let table = FaultyTable::start().await;
    let stack = warm_stack_on(&table, SMALL_BURST).await;
    table.set(Fault::Answer(&THROTTLED));
    join_all((0..20).map(|_| ask(&stack, "signup"))).await;
    table.set(Fault::None);
    let expected = [("total", 20), ("reject", 13), ("limited", 7)];
    let counted = table::counted_at_last(&table.direct, &series(&stack, "signup"), &expected).await;
    assert_eq!(counted, expected.map(|(channel, count)| (channel.to_owned(), count)).into());
}

#[tokio::test]
async fn a_scan_that_the_table_fails_says_so_and_is_made_up_for() {
    let table = FaultyTable::start().await;
    let stack = stack_on(&table, SMALL_BURST).await;
    table.set(Fault::Answer(&THROTTLED));
    let answer = stack.send("POST", "/local/scan", &[], "").await.expect_status(503);
    assert!(!String::from_utf8_lossy(&answer.body).contains("partition 7"), "{answer:?}");
    table.set(Fault::None);
    let scanned = stack.send("POST", "/local/scan", &[], "").await.expect_status(200).json();
    assert_eq!(scanned["alerts_opened"], Value::from(0));
}

/// The stack hashes keys with the secret of its settings: a table with keys of another secret admits nobody.
#[tokio::test]
async fn a_key_hashed_with_another_secret_is_unknown() {
    let table = FaultyTable::start().await;
    let stack = stack_on(&table, SMALL_BURST).await;
    let register = KeyRegister { table: table::client(&table.direct), secret: HashSecret::new("another secret") };
    let api_key = ApiKey::from_entropy([9; ENTROPY_LEN]);
    register.create(&api_key, &Grant::default(), SystemTime::UNIX_EPOCH).await.expect("stored");
    let headers = [("x-api-key", api_key.reveal()), ("content-type", "application/json".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    stack.send("POST", "/v1/validate", &headers, "{\"email\": \"nobody\"}").await.expect_status(401);
}

/// Sources that were refused too often are refused without a question to the table, which would be a 503 here.
#[tokio::test]
async fn a_flood_of_unknown_keys_costs_no_reads_once_its_source_is_known_for_it() {
    let table = FaultyTable::start().await;
    let failures = [("GATEPOST_LIMITS_FAILURES_PER_MINUTE", "8"), ("GATEPOST_LIMITS_TIMEOUT_MS", "1000")];
    let stack = Stack::start_with(&["--dynamodb-endpoint", &table.url], &failures).await;
    recovered(&stack).await;
    let guess = async |n: u8, source: &str| {
        let key = ApiKey::from_entropy([n; ENTROPY_LEN]).reveal();
        let headers =
            [("x-api-key", key.as_str()), ("content-type", "application/json"), ("x-local-source-ip", source)];
        stack.send("POST", "/v1/validate", &headers, "{\"email\": \"nobody\"}").await.status.as_u16()
    };
    for n in 0..6 {
        assert_eq!(guess(n, "192.0.2.7").await, 401);
    }
    table.set(Fault::Close);
    for n in 10..40 {
        assert_eq!(guess(n, "192.0.2.7").await, 429);
    }
    assert_eq!(guess(50, "192.0.2.8").await, 503);
}

/// How long the table is down in the middle of the load.
const LONG_OUTAGE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn thirty_seconds_without_the_table_in_the_middle_of_a_load_lose_no_count_and_heal_by_themselves() {
    let table = FaultyTable::start().await;
    let stack = warm_stack_on(&table, LARGE_BURST).await;
    let before = table::counted_at_last(&table.direct, &series(&stack, "login"), &[]).await.get("total").copied();
    let has_ended = watch::Sender::new(false);
    let load = join_all(["signup", "newsletter", "login", "signup"].map(|flow| drive(&stack, flow, &has_ended)));
    let outage = async {
        sleep(Duration::from_secs(2)).await;
        table.set(Fault::Answer(&THROTTLED));
        sleep(LONG_OUTAGE).await;
        table.set(Fault::None);
        recovered(&stack).await;
        sleep(Duration::from_secs(1)).await;
        has_ended.send_replace(true);
    };
    let (driven, ()) = tokio::join!(load, outage);
    for (flow, statuses) in ["signup", "newsletter", "login", "signup"].iter().zip(&driven) {
        // A local share is large enough here: who may go on does, the others are told to come back.
        let expected: &[u16] = if *flow == "login" { &[200, 503] } else { &[200] };
        assert!(statuses.iter().all(|status| expected.contains(status)), "{flow}: {statuses:?}");
        assert_eq!(statuses.last(), Some(&200), "{flow} has not recovered");
    }
    assert!(driven[2].contains(&503), "login was not failed closed");
    let answered = |index: usize| driven[index].iter().filter(|status| **status == 200).count() as u64;
    for (flow, count) in [("signup", answered(0) + answered(3)), ("newsletter", answered(1))] {
        let expected = [("total", count), ("reject", count)];
        let counted = table::counted_at_last(&table.direct, &series(&stack, flow), &expected).await;
        assert_eq!(counted, expected.map(|(channel, count)| (channel.to_owned(), count)).into(), "{flow}");
    }
    // Those of `login` before, and while it was asked whether the table is back.
    let counted = table::counted_at_last(&table.direct, &series(&stack, "login"), &[]).await;
    assert!(before.unwrap_or_default() + answered(2) <= counted["total"], "{counted:?}");
}

/// Statuses of one request after the other, until the load ends.
async fn drive(stack: &Stack, flow: &str, has_ended: &watch::Sender<bool>) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !*has_ended.borrow() {
        statuses.push(ask(stack, flow).await.status.as_u16());
        sleep(Duration::from_millis(150)).await;
    }
    statuses
}

#[tokio::test]
async fn limits_leave_a_table_alone_that_has_not_answered_three_times() {
    let table = FaultyTable::start().await;
    let limits = RateLimits::new(table::client(&table.url));
    let start = Bucket::parse("2026-11-23T02:10").expect("a time").start();
    let ask = async |n: u64| {
        let now = start + Duration::from_millis(n);
        limits.admit("someone", Quota::new(600, 400), 1, now).await
    };
    table.set(Fault::Close);
    let unavailable = |asked: Result<_, RateLimitError>| matches!(asked, Err(RateLimitError::Unavailable(_)));
    assert!(unavailable(ask(0).await));
    let of_one = table.proxy.connections();
    for n in 1..40 {
        assert!(unavailable(ask(n).await), "{n}");
    }
    assert_eq!(table.proxy.connections(), 3 * of_one);
    table.set(Fault::None);
    assert!(unavailable(ask(41).await), "a pause has an end, not an exception");
    ask(10_000).await.expect("it is asked again after a pause");
}

#[tokio::test]
async fn a_caller_whose_partition_is_throttled_is_over_its_quota_and_the_table_is_not_down() {
    let table = FaultyTable::start().await;
    let stack = warm_stack_on(&table, LARGE_BURST).await;
    table.set(Fault::Answer(&KEY_THROTTLED));
    // Connections that were open broke, which is another fault: this one notices.
    ask(&stack, "signup").await;
    for flow in ["login", "signup"] {
        let refused = ask(&stack, flow).await.expect_status(429);
        assert_eq!(refused.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn a_revoked_caller_stays_refused_however_long_the_table_fails() {
    let table = FaultyTable::start().await;
    let callers = Callers::new(table::client(&table.url), Duration::from_secs(60));
    let start = Bucket::parse("2026-11-23T02:10").expect("a time").start();
    let (revoked, other) = ("token:01234567:web", "token:01234567:shop");
    let register = CallerRegister { table: table::client(&table.url) };
    register.revoke(revoked, SystemTime::UNIX_EPOCH).await.expect("stored");
    for id in [revoked, other] {
        assert_eq!(callers.of_token(id, start).await.is_some(), id == other);
    }
    table.set(Fault::Close);
    for minutes in [2, 14, 60, 600] {
        let later = start + Duration::from_mins(minutes);
        assert_eq!(callers.of_token(revoked, later).await, None, "after {minutes} minutes");
        assert!(callers.of_token(other, later).await.is_some(), "after {minutes} minutes");
    }
    let listed = CallerRegister { table: table::client(&table.direct) }.list().await.expect("listed");
    let listed: Vec<_> = listed.iter().map(|caller| (caller.id.as_str(), caller.revoked_s)).collect();
    assert_eq!(listed, [(revoked, Some(0))]);
}
