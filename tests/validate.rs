//! Contract 3 from outside: what an address, a request and a caller are answered.

use gatepost::api_key::{ApiKey, ENTROPY_LEN};
use gatepost_local::name_server::NameServer;
use serde_json::{Value, json};

use crate::stack::{Answer, Stack, scratch_file};

/// Domains named by what DNS says about them.
const ZONE: &str = "\
good.example. 300 IN MX 20 mx2.good.example.
good.example. 300 IN MX 10 mx1.good.example.
mx1.good.example. 300 IN A 192.0.2.1
mx2.good.example. 300 IN A 192.0.2.2
gmial.com. 300 IN MX 10 mx1.good.example.
nullmx.example. 300 IN MX 0 .
implicit.example. 300 IN A 192.0.2.80
implicit6.example. 300 IN AAAA 2001:db8::80
nomail.example. 300 IN TXT \"no mail host\"
private.example. 300 IN MX 10 mx.private.example.
mx.private.example. 300 IN A 10.0.0.1
hostless.example. 300 IN MX 10 mx.silent.example.
unresolvable.example. 300 IN MX 10 gone.example.
unresolvable.example. 300 IN MX 20 192.0.2.25.
halfway.example. 300 IN TXT \"no MX, and a name server that does not tell the address\"
;behaviour silent.example. * timeout
;behaviour mx.silent.example. * timeout
;behaviour broken.example. * servfail
;behaviour closed.example. * refused
;behaviour halfway.example. A servfail
";

async fn name_server() -> NameServer {
    NameServer::start(ZONE, &[]).await.expect("the zone is served")
}

/// A stalled machine is no reason to call DNS unanswered.
async fn stack() -> Stack {
    Stack::start_with(&[], &[("GATEPOST_DNS_TIMEOUT_MS", "10000")]).await
}

async fn stack_with(server: &NameServer) -> Stack {
    let address = server.address().to_string();
    Stack::start_with(&["--dns", &address], &[("GATEPOST_DNS_TIMEOUT_MS", "1500")]).await
}

/// The words by which internal text would be known.
fn expect_nothing_internal(answer: &Answer) {
    let text = String::from_utf8_lossy(&answer.body);
    for word in ["struct ", "::", "src/", ".rs", "serde", "DynamoDb", "dynamodb", "panicked", "127.0.0.1"] {
        assert!(!text.contains(word), "{word:?} in {text}");
    }
}

/// A problem (RFC 9457) of this status and name, with all its members and nothing else.
#[track_caller]
fn expect_problem(answer: Answer, status: u16, name: &str) -> Value {
    expect_nothing_internal(&answer);
    let answer = answer.expect_status(status);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let problem = answer.json();
    let members: Vec<&str> = problem.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["type", "title", "status", "detail", "request_id"]);
    assert_eq!(problem["type"], format!("urn:gatepost:problem:{name}"));
    assert_eq!(problem["status"], status);
    assert!(is_request_id(&problem["request_id"]), "{problem}");
    problem
}

fn is_request_id(value: &Value) -> bool {
    value.as_str().is_some_and(|id| id.len() == 32 && id.bytes().all(|octet| octet.is_ascii_hexdigit()))
}

/// The rules and the age of the data.
fn policy() -> String {
    format!("2026-11 data {}", gatepost::domain_list::DomainList::embedded().built())
}

fn codes(answer: &Value) -> Vec<&str> {
    let reasons = answer["reasons"].as_array().expect("a list");
    reasons.iter().map(|reason| reason["code"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn a_good_address_is_answered_with_every_field_of_the_contract() {
    let stack = stack().await;
    let question = json!({"email": "Ann@Example.com", "flow": "newsletter", "client_ip": "198.51.100.7"});
    let answer = stack.validate(question).await.expect_status(200);
    for (name, expected) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("ratelimit", "\"default\";r=104;t=1, \"client-ip\";r=59;t=1"),
        ("ratelimit-policy", "\"default\";q=340;w=60, \"client-ip\";q=200;w=60"),
    ] {
        assert_eq!(answer.header(name), expected, "{name}");
    }
    let mut answer = answer.json();
    let request_id = answer.as_object_mut().expect("an object").remove("request_id").expect("a request id");
    assert!(is_request_id(&request_id), "{request_id}");
    let expected = json!({
        "email": "Ann@Example.com", "normalized": "Ann@example.com", "canonical": "ann@example.com",
        "verdict": "accept", "risk": 0.0, "reasons": [], "suggestion": null,
        "flags": {
            "syntax_valid": true, "injection": false, "requires_smtputf8": false, "disposable": false, "alias": false,
            "role": false, "free": false, "homograph": false, "special_use": false,
        },
        "dns": {"status": "ok", "mx": ["mx1.example.com", "mx2.example.com"], "implicit_mx": false},
        "mailbox": "not_checked", "policy": policy(),
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_reason_says_what_how_much_and_by_which_rule() {
    let stack = stack().await;
    let answer = stack.validate(json!({"email": "ann@nullmx.example"})).await.expect_status(200).json();
    let expected = json!([{
        "code": "null_mx", "severity": "reject", "detail": "The domain states that it accepts no mail.",
        "reference": "RFC 7505 §3",
    }]);
    assert_eq!(answer["reasons"], expected);
    assert_eq!((&answer["verdict"], &answer["risk"]), (&json!("reject"), &json!(1.0)));
}

#[tokio::test]
async fn a_malformed_address_is_a_verdict_and_only_line_breaks_and_nul_are_called_injection() {
    let stack = stack().await;
    for (email, code, injection) in [
        ("", "missing_at_sign", false),
        ("ann", "missing_at_sign", false),
        ("@example.com", "empty_local_part", false),
        ("ann@", "empty_domain", false),
        ("a..b@example.com", "misplaced_dot", false),
        ("ann@exa mple.com", "white_space", false),
        ("ann@example..com", "empty_domain_label", false),
        ("ann@example.com\r\nBcc: eve@example.net", "control_character", true),
        ("ann@example.com\n", "control_character", true),
        ("ann\r@example.com", "control_character", true),
        ("ann\u{0}@example.com", "control_character", true),
        ("ann@exam\u{0}ple.com", "control_character", true),
    ] {
        let answer = stack.validate(json!({"email": email})).await.expect_status(200).json();
        assert_eq!(answer["email"], email);
        assert_eq!((&answer["verdict"], &answer["risk"]), (&json!("reject"), &json!(1.0)), "{email:?}");
        assert_eq!((&answer["normalized"], &answer["canonical"]), (&Value::Null, &Value::Null), "{email:?}");
        assert_eq!(answer["dns"], json!({"status": "not_checked", "mx": [], "implicit_mx": false}), "{email:?}");
        assert_eq!(answer["flags"]["syntax_valid"], false, "{email:?}");
        assert_eq!((codes(&answer), &answer["flags"]["injection"]), (vec![code], &json!(injection)), "{email:?}");
    }
}

#[tokio::test]
async fn a_misspelt_provider_is_reviewed_and_the_likely_address_suggested() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let answer = stack.validate(json!({"email": "Ann@GMIAL.com"})).await.expect_status(200).json();
    assert_eq!(codes(&answer), ["likely_typo"]);
    assert_eq!(
        json!([answer["verdict"], answer["risk"], answer["suggestion"], answer["normalized"], answer["canonical"]]),
        json!(["review", 0.4, "Ann@gmail.com", "Ann@gmial.com", "ann@gmial.com"])
    );
}

#[tokio::test]
async fn what_dns_says_counts_and_what_it_does_not_say_never_rejects() {
    let server = name_server().await;
    let stack = stack_with(&server).await;
    let none: &[&str] = &[];
    let both: &[&str] = &["mx1.good.example", "mx2.good.example"];
    for (domain, verdict, reasons, status, mx, implicit) in [
        ("good.example", "accept", none, "ok", both, false),
        ("implicit.example", "accept", &["implicit_mx"], "ok", none, true),
        ("implicit6.example", "accept", &["implicit_mx"], "ok", none, true),
        ("private.example", "review", &["mx_not_public"], "ok", &["mx.private.example"], false),
        ("hostless.example", "accept", none, "ok", &["mx.silent.example"], false),
        ("unresolvable.example", "review", &["mx_unresolvable"], "ok", &["gone.example", "192.0.2.25"], false),
        ("nullmx.example", "reject", &["null_mx"], "null_mx", none, false),
        ("nomail.example", "reject", &["no_mail_host"], "no_mail_host", none, false),
        ("absent.example", "reject", &["nxdomain"], "nxdomain", none, false),
        ("silent.example", "review", &["dns_temperror"], "temperror", none, false),
        ("broken.example", "review", &["dns_temperror"], "temperror", none, false),
        ("closed.example", "review", &["dns_temperror"], "temperror", none, false),
        ("halfway.example", "review", &["dns_temperror"], "temperror", none, false),
    ] {
        let answer = stack.validate(json!({"email": format!("ann@{domain}")})).await.expect_status(200).json();
        assert_eq!(answer["dns"], json!({"status": status, "mx": mx, "implicit_mx": implicit}), "{domain}");
        assert_eq!((answer["verdict"].as_str(), codes(&answer)), (Some(verdict), reasons.to_vec()), "{domain}");
    }
}

#[tokio::test]
async fn every_flow_of_the_contract_is_taken_and_spelt_exactly() {
    let stack = stack().await;
    for flow in
        [json!("signup"), json!("password_reset"), json!("login"), json!("newsletter"), json!("other"), Value::Null]
    {
        stack.validate(json!({"email": "ann@example.com", "flow": flow})).await.expect_status(200);
    }
    for flow in [json!("Signup"), json!("password-reset"), json!(""), json!(["login"]), json!(5)] {
        let answer = stack.validate(json!({"email": "ann@example.com", "flow": flow})).await;
        expect_problem(answer, 400, "bad-request");
    }
}

#[tokio::test]
async fn a_body_that_asks_nothing_gets_a_problem_that_gives_nothing_away() {
    let stack = stack().await;
    let nested = "[".repeat(10_000);
    for (path, body) in [
        ("/v1/validate", ""),
        ("/v1/validate", "{\"email\": "),
        ("/v1/validate", "{}"),
        ("/v1/validate", "null"),
        ("/v1/validate", "\"ann@example.com\""),
        ("/v1/validate", "[\"ann@example.com\", null, null]"),
        ("/v1/validate", "{\"email\": 5}"),
        ("/v1/validate", "{\"email\": \"a\", \"email\": \"b\"}"),
        ("/v1/validate", "{\"email\": \"\\ud800\"}"),
        ("/v1/validate", nested.as_str()),
        ("/v1/validate", "{\"email\": \"ann@example.com\", \"client_ip\": \"198.51.100\"}"),
        ("/v1/validate", "{\"email\": \"ann@example.com\", \"client_ip\": \"198.51.100.7:443\"}"),
        ("/v1/validate", "{\"email\": \"ann@example.com\", \"client_ip\": \"\"}"),
        ("/v1/validate", "{\"email\": \"ann@example.com\", \"client_ip\": 7}"),
        ("/v1/validate/batch", ""),
        ("/v1/validate/batch", "{}"),
        ("/v1/validate/batch", "\"ann@example.com\""),
        ("/v1/validate/batch", "[[\"ann@example.com\"], null]"),
        ("/v1/validate/batch", "{\"emails\": \"ann@example.com\"}"),
        ("/v1/validate/batch", "{\"emails\": []}"),
        ("/v1/validate/batch", "{\"emails\": [\"ann@example.com\"], \"flow\": \"sign up\"}"),
    ] {
        let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", "application/json")];
        let answer = stack.send("POST", path, &headers, body.to_owned()).await;
        assert_eq!(answer.status.as_u16(), 400, "{path} {body:.60}: {}", String::from_utf8_lossy(&answer.body));
        expect_problem(answer, 400, "bad-request");
    }
}

#[tokio::test]
async fn a_body_that_is_not_utf_8_is_a_bad_request() {
    let stack = stack().await;
    let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", "application/json")];
    let answer = stack.send("POST", "/v1/validate", &headers, b"{\"email\": \"\xff@example.com\"}".to_vec()).await;
    expect_problem(answer, 400, "bad-request");
}

#[tokio::test]
async fn only_json_is_taken() {
    let stack = stack().await;
    let body = "{\"email\": \"ann@example.com\"}";
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""] {
        let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", content_type)];
        expect_problem(stack.send("POST", "/v1/validate", &headers, body).await, 415, "unsupported-media-type");
    }
    let headers = [("x-api-key", stack.api_key.as_str())];
    expect_problem(stack.send("POST", "/v1/validate", &headers, body).await, 415, "unsupported-media-type");
    for content_type in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
        let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", content_type)];
        stack.send("POST", "/v1/validate", &headers, body).await.expect_status(200);
    }
}

#[tokio::test]
async fn a_body_of_64_kb_is_read_and_one_octet_more_is_not() {
    let stack = stack().await;
    for path in ["/v1/validate", "/v1/validate/batch"] {
        let body = r#"{"email": "ann@example.com", "emails": ["ann@example.com"]}"#;
        let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", "application/json")];
        stack.send("POST", path, &headers, padded(body, 65_536)).await.expect_status(200);
        let answer = stack.send("POST", path, &headers, padded(body, 65_537)).await;
        let problem = expect_problem(answer, 413, "content-too-large");
        assert_eq!(problem["detail"], "the body has more than 65536 octets");
    }
}

/// White space after JSON means nothing, and makes it any length.
fn padded(body: &str, octets: usize) -> String {
    format!("{body}{}", " ".repeat(octets - body.len()))
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_each_item_fails_alone() {
    let stack = stack().await;
    let emails = json!(["ann@example.com", 5, "no at sign", null, ["ann@example.com"], "bob@nullmx.example", {}, ""]);
    let answer = stack.post_json("/v1/validate/batch", &json!({"emails": emails})).await.expect_status(200);
    assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
    let body = answer.json();
    let told = |item: &Value| match item.get("problem") {
        Some(problem) => json!([problem["status"], problem["type"], problem["detail"], problem["request_id"]]),
        None => json!([item["email"], item["verdict"], item["dns"]["status"], item["request_id"]]),
    };
    let told: Vec<Value> = body["results"].as_array().expect("a list").iter().map(told).collect();
    let id = &body["request_id"];
    let not_a_string = json!([400, "urn:gatepost:problem:bad-request", "an item of emails has to be a string", id]);
    let expected = [
        json!(["ann@example.com", "accept", "ok", id]),
        not_a_string.clone(),
        json!(["no at sign", "reject", "not_checked", id]),
        not_a_string.clone(),
        not_a_string.clone(),
        json!(["bob@nullmx.example", "reject", "null_mx", id]),
        not_a_string,
        json!(["", "reject", "not_checked", id]),
    ];
    assert_eq!(told, expected);
    assert!(is_request_id(id), "{id}");
}

/// Valid JSON (RFC 8259 §8.2), and no text that Unicode knows.
#[tokio::test]
async fn half_a_surrogate_pair_in_one_item_leaves_the_others_their_answers() {
    let stack = stack().await;
    let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", "application/json")];
    let deep = "[".repeat(500) + &"]".repeat(500);
    let body =
        format!(r#"{{"emails": ["ann@example.com", "\ud800@example.com", 1e999, {deep}, "\u0061nn@example.com"]}}"#);
    let answer = stack.send("POST", "/v1/validate/batch", &headers, body).await.expect_status(200).json();
    let told = |item: &Value| json!([item["email"], item["verdict"], item["problem"]["status"]]);
    let told: Vec<Value> = answer["results"].as_array().expect("a list").iter().map(told).collect();
    let (ann, problem) = (json!(["ann@example.com", "accept", null]), json!([null, null, 400]));
    assert_eq!(told, [ann.clone(), problem.clone(), problem.clone(), problem, ann]);
    for body in [r#"{"emails": ["ann@example.com", "\ud8"]}"#, r#"{"emails": ["ann@example.com", x]}"#] {
        expect_problem(stack.send("POST", "/v1/validate/batch", &headers, body).await, 400, "bad-request");
    }
}

#[tokio::test]
async fn a_batch_holds_one_to_a_hundred_addresses() {
    let stack = stack().await;
    let batch = |size: usize| json!({"emails": vec!["ann@example.com"; size]});
    for size in [0, 101] {
        let problem = expect_problem(stack.post_json("/v1/validate/batch", &batch(size)).await, 400, "bad-request");
        assert_eq!(problem["detail"], format!("a batch holds 1 to 100 addresses, not {size}"));
    }
    let answer = stack.post_json("/v1/validate/batch", &batch(100)).await.expect_status(200);
    assert_eq!(answer.json()["results"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn a_batch_over_the_burst_is_told_the_largest_size_and_the_environment_overrides_the_file() {
    let file = scratch_file("small-burst.toml", "[limits]\nburst = 8\n");
    let file = file.to_str().expect("a path in UTF-8");
    // Three quarters of the burst can be had at once.
    for (environment, largest) in [(&[][..], 6_usize), (&[("GATEPOST_LIMITS_BURST", "12")], 9)] {
        let stack = Stack::start_with(&["--config", file], environment).await;
        let batch = |size: usize| json!({"emails": vec!["ann@example.com"; size]});
        let refused = stack.post_json("/v1/validate/batch", &batch(largest + 1)).await;
        let problem = expect_problem(refused, 400, "batch-too-large");
        let told = format!("this client can be granted at most {largest} addresses in one batch");
        assert_eq!(problem["detail"], told);
        stack.post_json("/v1/validate/batch", &batch(largest)).await.expect_status(200);
    }
}

#[tokio::test]
async fn who_shows_no_known_key_is_unauthenticated() {
    let stack = stack().await;
    let known = ApiKey::parse(&stack.api_key).expect("the development key");
    let unknown = ApiKey::from_entropy([7; ENTROPY_LEN]).reveal();
    let same_id = with_id(known.id()).reveal();
    assert!(same_id.starts_with(&format!("gp_{}_", known.id())));
    let (long, wrong_checksum) = ("gp_".repeat(2_000), with_another_last_digit(&stack.api_key));
    let basic = format!("Basic {}", stack.api_key);
    for headers in [
        &[][..],
        &[("x-api-key", "")],
        &[("x-api-key", "garbage")],
        &[("x-api-key", &long)],
        &[("x-api-key", &wrong_checksum)],
        &[("x-api-key", &unknown)],
        &[("x-api-key", &same_id)],
        &[("authorization", &basic)],
    ] {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        for path in ["/v1/validate", "/v1/validate/batch"] {
            let answer = stack.send("POST", path, &headers, "{\"email\": \"ann@example.com\"}").await;
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{headers:?}");
            let problem = expect_problem(answer, 401, "unauthenticated");
            assert_eq!(problem["detail"], "the request carries no valid credential");
        }
    }
}

/// A well-formed key of another secret under a known id.
fn with_id(id: &str) -> ApiKey {
    let mut entropy = [7; ENTROPY_LEN];
    for (octet, digits) in entropy.iter_mut().zip(id.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).expect("hexadecimal digits");
        *octet = u8::from_str_radix(digits, 16).expect("hexadecimal digits");
    }
    ApiKey::from_entropy(entropy)
}

fn with_another_last_digit(key: &str) -> String {
    let (head, last) = key.split_at(key.len() - 1);
    format!("{head}{}", if last == "0" { '1' } else { '0' })
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_what_takes_no_other_method_is_405() {
    let stack = stack().await;
    let headers = [("x-api-key", stack.api_key.as_str()), ("content-type", "application/json")];
    for path in ["/v1/validat", "/v1/validate/", "/v1/validate/batch/1", "/v1/%00"] {
        expect_problem(stack.send("POST", path, &headers, "{}").await, 404, "not-found");
    }
    for (method, path) in [("GET", "/v1/validate"), ("PUT", "/v1/validate"), ("DELETE", "/v1/validate/batch")] {
        let answer = stack.send(method, path, &headers, "").await;
        assert_eq!(answer.header("allow"), "POST");
        expect_problem(answer, 405, "method-not-allowed");
    }
}
