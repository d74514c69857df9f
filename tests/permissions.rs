//! What a function asks of table and bucket, held against its role in the template: a stack on one machine refuses nothing.

use std::sync::{Arc, Mutex};

use gatepost_local::aws::s3::BUCKET;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use crate::isolation::{resource, statements};

/// An action on one partition of the table, one object, or one prefix that is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    action: String,
    of: String,
}

/// What one connection carried to the service.
type Said = Arc<Mutex<Vec<u8>>>;

/// An address of its own that leads to an endpoint and keeps what is asked there.
pub(crate) struct Recorder {
    pub(crate) url: String,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Recorder {
    pub(crate) async fn start(target: &str) -> Self {
        let target = target.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let said: Arc<Mutex<Vec<Said>>> = Arc::default();
        let connections = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let said = Said::default();
                connections.lock().expect("nobody panics with it").push(Arc::clone(&said));
                let target = target.clone();
                tokio::spawn(async move { relay(client, &target, &said).await });
            }
        });
        Self { url, said }
    }

    fn asked(&self) -> Vec<Asked> {
        let connections = self.said.lock().expect("nobody panics with it");
        let mut asked = Vec::new();
        for said in connections.iter() {
            let said = said.lock().expect("nobody panics with it");
            requests(&said).for_each(|(head, body)| asked.extend(actions(head, body)));
        }
        asked.sort();
        asked.dedup();
        asked
    }
}

async fn relay(client: TcpStream, target: &str, said: &Said) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(target).await?.into_split();
    let asking = async {
        let mut piece = vec![0; 16 * 1024];
        loop {
            let length = from_client.read(&mut piece).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            said.lock().expect("nobody panics with it").extend(&piece[..length]);
            to_server.write_all(&piece[..length]).await?;
        }
    };
    tokio::try_join!(asking, copy(&mut from_server, &mut to_client)).map(drop)
}

/// Heads and bodies, one after another; one that is cut off is left out.
fn requests(mut said: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    std::iter::from_fn(move || {
        let end = said.windows(4).position(|octets| octets == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&said[..end]).expect("a head is text");
        assert!(field(head, "transfer-encoding").is_none(), "only a length tells where a body ends: {head}");
        let length = field(head, "content-length").map_or(0, |length| length.parse().expect("a number"));
        let body = said.get(end + 4..end + 4 + length)?;
        said = &said[end + 4 + length..];
        Some((head, body))
    })
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn actions(head: &str, body: &[u8]) -> Vec<Asked> {
    match field(head, "x-amz-target") {
        Some(target) => {
            let request = serde_json::from_slice(body).expect("JSON");
            of_table(target.rsplit('.').next().unwrap_or_default(), &request)
        }
        None => of_bucket(head),
    }
}

fn of_table(operation: &str, request: &Value) -> Vec<Asked> {
    let asked = |operation: &str, request: &Value| {
        let places = ["/Key/pk/S", "/Item/pk/S", "/ExpressionAttributeValues/:pk/S"];
        let partition = places.iter().find_map(|place| request.pointer(place)?.as_str());
        let of = partition.unwrap_or_else(|| panic!("{operation} of no partition: {request}")).to_owned();
        Asked { action: format!("dynamodb:{operation}"), of }
    };
    let Some(parts) = request["TransactItems"].as_array() else { return vec![asked(operation, request)] };
    let parts = parts.iter().flat_map(|part| part.as_object().expect("an object"));
    parts.map(|(operation, part)| asked(&format!("{operation}Item"), part)).collect()
}

fn of_bucket(head: &str) -> Vec<Asked> {
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = |text: &str| text.replace("%2F", "/").replace("%23", "#");
    let in_bucket = |path: &str| {
        let path = decoded(path.trim_start_matches('/'));
        path.strip_prefix(BUCKET).expect("one bucket").trim_start_matches('/').to_owned()
    };
    let asked = |action: &str, of: String| Asked { action: format!("s3:{action}"), of };
    let source = field(head, "x-amz-copy-source").map(|source| asked("GetObject", in_bucket(source)));
    let key = in_bucket(path);
    let own = match method {
        "GET" if key.is_empty() => {
            let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix="));
            asked("ListBucket", decoded(prefix.unwrap_or_default()))
        }
        "GET" | "HEAD" => asked("GetObject", key),
        "PUT" => asked("PutObject", key),
        "DELETE" => asked("DeleteObject", key),
        other => panic!("{other} {target}"),
    };
    source.into_iter().chain([own]).collect()
}

/// Statement of a role: actions, and patterns of partitions, keys or prefixes.
fn rights(function: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let role = resource(&format!("{}Role", in_camel_case(function)));
    statements(&role).into_iter().map(|(_, body)| (listed(body, "Action: "), patterns(body))).collect()
}

fn in_camel_case(name: &str) -> String {
    let words = name.split('-').filter_map(|word| Some((word.get(..1)?, word.get(1..)?)));
    words.map(|(first, rest)| first.to_uppercase() + rest).collect()
}

fn listed(statement: &str, name: &str) -> Vec<String> {
    let line = statement.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_default();
    line.trim_matches(['[', ']']).split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
}

fn patterns(statement: &str) -> Vec<String> {
    let objects = statement.split("${MessageBucket.Arn}/").skip(1).filter_map(|rest| rest.lines().next());
    let conditions = ["dynamodb:LeadingKeys: ", "s3:prefix: "].map(|name| listed(statement, name)).concat();
    objects.map(str::to_owned).chain(conditions).filter(|pattern| !pattern.is_empty()).collect()
}

fn is_match(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| is_match(after, rest))),
    }
}

/// Fails for a function that asked for what its role does not grant.
#[track_caller]
pub(crate) fn expect_granted(function: &str, recorder: &Recorder) {
    let rights = rights(function);
    let is_granted = |asked: &Asked| {
        let of_action = rights.iter().filter(|(actions, _)| actions.contains(&asked.action));
        of_action.flat_map(|(_, patterns)| patterns).any(|pattern| is_match(pattern, &asked.of))
    };
    let refused: Vec<_> = recorder.asked().into_iter().filter(|asked| !is_granted(asked)).collect();
    assert!(refused.is_empty(), "AWS would refuse {function}: {refused:?}");
}

#[test]
fn what_is_asked_is_read_from_the_requests_themselves() {
    let update = json!({"TransactItems": [
        {"Update": {"Key": {"pk": {"S": "a"}}}}, {"Put": {"Item": {"pk": {"S": "b"}}}},
    ]});
    let length = update.to_string().len();
    let of_table = format!(
        "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.TransactWriteItems\r\nContent-Length: {length}\r\n\r\n{update}"
    );
    let of_bucket = format!("PUT /{BUCKET}/rejected/m HTTP/1.1\r\nx-amz-copy-source: {BUCKET}/inbound/m\r\n\r\n");
    let listing = format!("GET /{BUCKET}?list-type=2&prefix=inbound%2F HTTP/1.1\r\nhost: x\r\n\r\n");
    let said = [of_table, of_bucket, listing].concat();
    let asked: Vec<_> = requests(said.as_bytes()).flat_map(|(head, body)| actions(head, body)).collect();
    let asked: Vec<_> = asked.iter().map(|asked| (asked.action.as_str(), asked.of.as_str())).collect();
    let expected = [
        ("dynamodb:UpdateItem", "a"),
        ("dynamodb:PutItem", "b"),
        ("s3:GetObject", "inbound/m"),
        ("s3:PutObject", "rejected/m"),
        ("s3:ListBucket", "inbound/"),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_role_grants_what_its_patterns_match_and_no_more() {
    let rights = rights("verify-inbound");
    let patterns: Vec<_> = rights.iter().filter(|(actions, _)| actions == &["s3:PutObject"]).collect();
    let [(_, patterns)] = patterns.as_slice() else { panic!("{rights:?}") };
    let is_granted = |key: &str| patterns.iter().any(|pattern| is_match(pattern, key));
    assert!(is_granted("inbound/m.report.json") && is_granted("delivered/m"));
    assert!(!is_granted("inbound/m") && !is_granted("incidents/m"));
}
