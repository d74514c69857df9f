//! `GET /` as a browser is sent it, and the pages of incidents beside it. `tests/page/stack.sh` looks at it in a real one.

use base64::{Engine, engine::general_purpose::STANDARD};
use gatepost::bucket::Bucket;
use gatepost_local::clock;
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::{
    objects,
    stack::{Answer, Stack, scratch_file},
};

const SESSION: [(&str, &str); 4] = [
    ("client_ip", "203.0.113.66"),
    ("helo", "mail.example.com"),
    ("mail_from", "bounce@example.com"),
    ("rcpt_to", "ann@receiver.example"),
];

async fn page(stack: &Stack) -> (Answer, String) {
    let answer = stack.send("GET", "/", &[], "").await.expect_status(200);
    let html = String::from_utf8(answer.body.clone()).expect("UTF-8");
    (answer, html)
}

/// One section, without its end.
#[track_caller]
fn section<'a>(html: &'a str, id: &str) -> &'a str {
    let (_, after) = html.split_once(&format!("<section id={id}")).unwrap_or_else(|| panic!("no {id} in {html}"));
    after.split("</section>").next().expect("a part")
}

#[tokio::test]
async fn an_empty_stack_says_in_every_section_what_to_do() {
    let stack = Stack::start().await;
    let (_, html) = page(&stack).await;
    let url = stack.url.trim_start_matches("http://");
    for (id, words) in [
        ("verdicts", format!("curl -s http://{url}/v1/validate")),
        ("messages", format!("http://{url}/local/inbound?")),
        ("series", "Every request and every message is counted".to_owned()),
        ("incidents", format!("curl -s -X POST http://{url}/local/scan")),
        ("limits", "340 permits in any 60 s".to_owned()),
    ] {
        assert!(section(&html, id).contains(&words), "{words:?} in {}", section(&html, id));
    }
    assert!(!html.contains(&stack.api_key) && !html.contains("local-development-only"), "{html}");
}

#[tokio::test]
async fn the_page_may_do_nothing_but_ask_for_itself_and_names_nobody_else() {
    let stack = Stack::start().await;
    let (answer, html) = page(&stack).await;
    let between = |from: &str, to: &str| {
        let (_, after) = html.split_once(from).expect("the beginning");
        after.split_once(to).expect("the end").0
    };
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())));
    let (script, style) = (hash(between("<script>", "</script>")), hash(between("<style>", "</style>")));
    assert_eq!(
        answer.header("content-security-policy"),
        format!(
            "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    );
    assert_eq!((answer.header("x-content-type-options"), answer.header("cache-control")), ("nosniff", "no-store"));
    // The name of a vocabulary, not an address.
    let html = html.replace("http://www.w3.org/2000/svg", "").replace(&stack.url, "");
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("src="), "{html}");
    for handler in [" onclick", " onload", " onerror", " style="] {
        assert!(!html.contains(handler), "{handler}");
    }
}

#[tokio::test]
async fn verdicts_and_messages_are_shown_with_their_reasons_and_no_address() {
    let stack = Stack::start_with(&[], &[("GATEPOST_PROTECTED_DOMAINS", "bank.example")]).await;
    stack.validate(json!({"email": "secret.person@loopback.example"})).await.expect_status(200);
    let batch = json!({"emails": ["secret.one@example.com", "no address"]});
    stack.post_json("/v1/validate/batch", &batch).await.expect_status(200);
    let message =
        "From: \"secret.shown@bank.example\" <secret.author@example.com>\r\nTo: ann@receiver.example\r\n\r\nHello.\r\n";
    let answer = stack.inbound(&SESSION, message).await.expect_status(200).json();
    let (_, html) = page(&stack).await;
    let verdicts = section(&html, "verdicts");
    for part in [
        "<strong>loopback.example</strong>",
        "<span class='badge care'>review</span>",
        "<code>mx_not_public</code>: Every mail host has only loopback, private or reserved addresses.",
        "<span class='badge bad'>reject 1</span>",
        "<strong>no domain</strong>",
    ] {
        assert!(verdicts.contains(part), "{part:?} in {verdicts}");
    }
    assert_eq!(verdicts.matches("<tr id=verdicts-").count(), 3, "{verdicts}");
    let messages = section(&html, "messages");
    let disposition = answer["report"]["disposition"].as_str().expect("a disposition");
    let finding = &answer["report"]["findings"][0];
    for part in [
        "<strong>example.com</strong>".to_owned(),
        format!(">{disposition}</span>"),
        format!("dmarc {}", answer["report"]["dmarc"].as_str().expect("a result")),
        format!("<code>{}</code>: ", finding["code"].as_str().expect("a code")),
    ] {
        assert!(messages.contains(&part), "{part:?} in {messages}");
    }
    assert!(!html.contains("secret."), "{html}");
    assert!(section(&html, "series").contains("<figure id=s"), "{}", section(&html, "series"));
}

#[tokio::test]
async fn what_strangers_name_is_text_and_nothing_else() {
    let now = Bucket::of(clock::now());
    let history = format!("ts,total\n{now},7\n");
    let series = scratch_file("<img src=x onerror=alert(1)>.csv", &history);
    let stack = Stack::start_with(&["--counters", series.to_str().expect("text")], &[]).await;
    for address in
        ["a@<script>alert(1)</script>.example", "<script>alert(2)</script>@example.com", "\"<i>\"@\"><b>x.example"]
    {
        stack.validate(json!({"email": address})).await.expect_status(200);
    }
    let message = "From: <a@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
                   Content-Type: application/octet-stream\r\n\
                   Content-Disposition: attachment; filename=\"<script>alert('3')</script>.pdf.exe\"\r\n\r\nMZ\r\n--b--\r\n";
    let answer = stack.inbound(&SESSION, message).await.expect_status(200).json();
    assert!(answer["report"]["findings"].to_string().contains("<script>alert('3')"), "the evidence has it: {answer}");
    let (_, html) = page(&stack).await;
    assert!(section(&html, "messages").contains("&lt;script&gt;alert(&#39;3&#39;)"), "{}", section(&html, "messages"));
    assert!(
        section(&html, "series").contains("<strong>&lt;img src=x onerror=alert(1)&gt;</strong>"),
        "{}",
        section(&html, "series")
    );
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    for tag in ["<img", "<b>", "<i>"] {
        assert!(!html.contains(tag), "{tag}");
    }
}

#[tokio::test]
async fn an_incident_is_shown_with_its_chart_its_alert_and_a_link_to_its_page() {
    let tight = [("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "1"), ("GATEPOST_LIMITS_BURST", "4")];
    let stack = Stack::start_with(&[], &tight).await;
    for _ in 0..240 {
        stack.validate(json!({"email": "ann@example.com"})).await;
    }
    stack.scan(&Bucket::of(clock::now()).plus(1).rfc3339()).await;
    let (_, html) = page(&stack).await;
    assert!(html.contains("<title>(1) gatepost</title>"), "{html}");
    let incidents = section(&html, "incidents");
    for part in [">open</span>", "critical", "flood at signup/", "[critical] flood opened: signup/"] {
        assert!(incidents.contains(part), "{part:?} in {incidents}");
    }
    let figure = section(&html, "series");
    assert!(
        figure.contains("<rect class=window") && figure.contains("<span class='badge bad'>flood</span>"),
        "{figure}"
    );
    let (_, link) = incidents.split_once("<a href=\"").expect("a link");
    let link = link.split_once('"').expect("its end").0;
    let incident = stack.send("GET", link, &[], "").await.expect_status(200);
    assert!(incident.header("content-security-policy").starts_with("default-src 'none'; style-src 'unsafe-inline';"));
    assert!(incident.header("content-type").starts_with("text/html"));
    let key = link.trim_start_matches("/local/incidents/");
    let text = String::from_utf8(incident.body).expect("UTF-8");
    assert!(text.contains("<h1>Flood at signup/") && text.contains("<svg class=page"), "{text}");
    // Nothing but what an incident page may be called is asked for, though it is there.
    objects::put(&stack.s3, "incidents/a.b.html", b"<h1>Not a page of ours</h1>".to_vec()).await;
    for name in ["a.b.html", "0-0.html", key.trim_end_matches(".html")] {
        stack.send("GET", &format!("/local/incidents/{name}"), &[], "").await.expect_status(404);
    }
}

#[tokio::test]
async fn the_limits_are_those_that_hold_and_no_secret_is_among_them() {
    let settings = [
        ("GATEPOST_LIMITS_REQUESTS_PER_MINUTE", "77"),
        ("GATEPOST_LIMITS_BURST", "11"),
        ("GATEPOST_DNS_TIMEOUT_MS", "765"),
        ("GATEPOST_PROTECTED_DOMAINS", "bank.example"),
        ("GATEPOST_INBOUND_BLOCK_LISTS", "domain=sesamekey.lists.example"),
        ("GATEPOST_AUTH_KEY_HASH_SECRET", "sesame-hash"),
    ];
    let stack = Stack::start_with(&[], &settings).await;
    let (_, html) = page(&stack).await;
    let limits = section(&html, "limits").replace("<wbr>", "");
    for value in ["88 permits in any 60 s", "77 permits a minute", "11 permits", "765 ms", "bank.example"] {
        assert!(limits.contains(&format!("<td>{value}</td>")), "{value} in {limits}");
    }
    assert!(limits.contains("GATEPOST_INBOUND_BLOCK_LISTS</code></th><td>1</td>"), "{limits}");
    assert!(!html.contains("sesame") && !html.contains(&stack.api_key), "{html}");
}
