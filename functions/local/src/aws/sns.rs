//! SNS: the Publish operation, over a topic that keeps what it is told.

use super::loopback::Loopback;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MAX_MESSAGE_BYTES: usize = 262_144;
/// Form encoding makes up to three octets of one; the rest is for attributes and the names of the fields.
const MAX_BODY_BYTES: usize = 3 * MAX_MESSAGE_BYTES + 16_384;
const MAX_SUBJECT_CHARACTERS: usize = 100;
/// How many messages are kept, the newest ones, and how many octets of them.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 64_000_000;
const FILE: &str = "sns.jsonl";

/// One published message, under the names that SNS gives its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Published {
    pub message: String,
    pub message_structure: Option<String>,
    pub subject: Option<String>,
    pub message_attributes: BTreeMap<String, MessageAttribute>,
}

/// A message attribute with a text value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    pub data_type: String,
    pub string_value: String,
}

/// A running endpoint. Stops when dropped.
#[derive(Debug)]
pub struct Sns {
    loopback: Loopback,
    topic: Arc<Mutex<Topic>>,
}

/// Why a request is refused; the text goes to the publisher.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum PublishError {
    #[error("The action {0} is not valid for this endpoint.")]
    InvalidAction(String),
    #[error("Invalid parameter: {0}")]
    InvalidParameter(&'static str),
    #[error("the message could not be kept")]
    Store,
}

impl Sns {
    /// Starts with what the file `sns.jsonl` in the folder `data` holds, or with nothing, in memory only.
    ///
    /// # Errors
    /// When the folder or file cannot be used, or no port can be bound.
    pub async fn start(data: Option<&Path>) -> io::Result<Self> {
        let topic = Arc::new(Mutex::new(Topic::open(data)?));
        let router = Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(Arc::clone(&topic));
        Ok(Self { loopback: Loopback::serve(router).await?, topic })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        self.loopback.url()
    }

    /// What was published, newest last: at most 10,000 messages and 64 MB.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        locked(&self.topic).kept.iter().cloned().collect()
    }

    /// The newest of them, newest first.
    #[must_use]
    pub fn latest(&self, most: usize) -> Vec<Published> {
        locked(&self.topic).kept.iter().rev().take(most).cloned().collect()
    }
}

async fn answer(State(topic): State<Arc<Mutex<Topic>>>, body: Bytes) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    // The lock is held while a line is appended to a local file: publishers are few, and the file's order is the topic's.
    match publish(&form).and_then(|message| locked(&topic).keep(message).map_err(|_| PublishError::Store)) {
        Ok(number) => receipt(number),
        Err(error) => refusal(&error),
    }
}

/// Reads a Publish request and applies the rules of SNS to it.
fn publish(form: &HashMap<String, String>) -> Result<Published, PublishError> {
    let field = |name: &str| form.get(name).cloned();
    let action = field("Action").unwrap_or_default();
    if action != "Publish" {
        return Err(PublishError::InvalidAction(action));
    }
    let topic = form.get("TopicArn").or_else(|| form.get("TargetArn"));
    if !topic.is_some_and(|arn| is_topic(arn)) {
        return Err(PublishError::InvalidParameter("TopicArn"));
    }
    let published = Published {
        message: field("Message").unwrap_or_default(),
        message_structure: field("MessageStructure"),
        subject: field("Subject"),
        message_attributes: attributes(form)?,
    };
    published.checked()
}

impl Published {
    fn checked(self) -> Result<Self, PublishError> {
        let fault = if self.message.is_empty() {
            Some("Empty message")
        } else if MAX_MESSAGE_BYTES < self.message.len() {
            Some("Message too long")
        } else if self.subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            Some("Subject")
        } else {
            match self.message_structure.as_deref() {
                None => None,
                Some("json") => structure_fault(&self.message),
                Some(_) => Some("MessageStructure"),
            }
        };
        fault.map_or(Ok(self), |fault| Err(PublishError::InvalidParameter(fault)))
    }

    fn size(&self) -> usize {
        let attributes = self.message_attributes.iter();
        let attributes = attributes.map(|(name, value)| name.len() + value.data_type.len() + value.string_value.len());
        self.message.len() + self.subject.as_ref().map_or(0, String::len) + attributes.sum::<usize>()
    }
}

/// With `MessageStructure=json` a message is an object of one text per protocol, among them `default`.
fn structure_fault(message: &str) -> Option<&'static str> {
    let Ok(by_protocol) = serde_json::from_str::<HashMap<String, serde_json::Value>>(message) else {
        return Some("Message Structure - JSON message body failed to parse");
    };
    match by_protocol.get("default") {
        None => Some("Message Structure - No default entry in JSON message body"),
        Some(text) if !text.is_string() => Some("Message Structure - default entry is not a string"),
        Some(_) => None,
    }
}

fn attributes(form: &HashMap<String, String>) -> Result<BTreeMap<String, MessageAttribute>, PublishError> {
    let part = |number: usize, name: &str| form.get(&format!("MessageAttributes.entry.{number}.{name}")).cloned();
    let mut attributes = BTreeMap::new();
    let mut number = 1;
    while let Some(name) = part(number, "Name") {
        let (Some(data_type), Some(string_value)) = (part(number, "Value.DataType"), part(number, "Value.StringValue"))
        else {
            return Err(PublishError::InvalidParameter("MessageAttributes: only text values are kept here"));
        };
        if name.is_empty() || string_value.is_empty() {
            return Err(PublishError::InvalidParameter("MessageAttributes: a name or value is empty"));
        }
        attributes.insert(name, MessageAttribute { data_type, string_value });
        number += 1;
    }
    Ok(attributes)
}

fn is_topic(arn: &str) -> bool {
    let mut parts = arn.split(':');
    parts.by_ref().take(3).eq(["arn", "aws", "sns"]) && parts.count() == 3
}

fn is_subject(subject: &str) -> bool {
    let printable = subject.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic());
    printable && !subject.is_empty() && subject.len() <= MAX_SUBJECT_CHARACTERS && !subject.starts_with(' ')
}

fn receipt(number: u64) -> Response {
    let id = format!("00000000-0000-4000-8000-{number:012x}");
    xml(
        StatusCode::OK,
        &format!(
            r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>{id}</MessageId></PublishResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></PublishResponse>"#
        ),
    )
}

fn refusal(error: &PublishError) -> Response {
    let (status, side, code) = match error {
        PublishError::InvalidAction(_) => (StatusCode::BAD_REQUEST, "Sender", "InvalidAction"),
        PublishError::InvalidParameter(_) => (StatusCode::BAD_REQUEST, "Sender", "InvalidParameter"),
        PublishError::Store => (StatusCode::INTERNAL_SERVER_ERROR, "Receiver", "InternalError"),
    };
    let message = error.to_string().replace('&', "&amp;").replace('<', "&lt;");
    xml(
        status,
        &format!(
            r#"<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>{side}</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"#
        ),
    )
}

fn xml(status: StatusCode, body: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/xml")], body.to_owned()).into_response()
}

/// The newest messages, and the file that they outlive the process in.
#[derive(Debug, Default)]
struct Topic {
    kept: VecDeque<Published>,
    kept_bytes: usize,
    /// How many were ever published here.
    published: u64,
    journal: Option<Journal>,
}

impl Topic {
    fn open(data: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = data else {
            return Ok(Self::default());
        };
        fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        let mut topic = Self::default();
        for message in read_lines(&path)? {
            topic.remember(message);
        }
        topic.journal = Some(Journal::rewrite(path, &topic.kept)?);
        Ok(topic)
    }

    /// Keeps a message, on the file first: what was answered is not lost. Answers its number.
    fn keep(&mut self, message: Published) -> io::Result<u64> {
        if let Some(journal) = &mut self.journal {
            journal.append(&message)?;
        }
        self.remember(message);
        if let Some(journal) = &mut self.journal
            && 2 * KEPT <= journal.lines
        {
            *journal = Journal::rewrite(journal.path.clone(), &self.kept)?;
        }
        Ok(self.published)
    }

    fn remember(&mut self, message: Published) {
        self.published += 1;
        self.kept_bytes += message.size();
        self.kept.push_back(message);
        while KEPT < self.kept.len() || KEPT_BYTES < self.kept_bytes {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.kept_bytes -= oldest.size();
        }
    }
}

/// One message a line, as JSON.
#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Journal {
    /// Replaces the file by one of exactly these messages, at once.
    fn rewrite(path: PathBuf, messages: &VecDeque<Published>) -> io::Result<Self> {
        let replacement = path.with_extension("jsonl.new");
        let mut file = io::BufWriter::new(File::create(&replacement)?);
        for message in messages {
            file.write_all(&line(message)?)?;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(replacement, &path)?;
        Ok(Self { path, file, lines: messages.len() })
    }

    fn append(&mut self, message: &Published) -> io::Result<()> {
        self.lines += 1;
        self.file.write_all(&line(message)?)
    }
}

fn line(message: &Published) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// What cannot be read is left out: a process that was killed may have left half a line.
fn read_lines(path: &Path) -> io::Result<Vec<Published>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(text.split(|octet| *octet == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

fn locked(topic: &Mutex<Topic>) -> MutexGuard<'_, Topic> {
    topic.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::clients;
    use aws_sdk_sns::Client;
    use aws_sdk_sns::error::ProvideErrorMetadata;
    use aws_sdk_sns::types::MessageAttributeValue;
    use serde_json::json;
    use std::time::Duration;

    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:gatepost-alerts";

    async fn started(data: Option<&Path>) -> (Sns, Client) {
        let sns = Sns::start(data).await.expect("the endpoint starts");
        let client = clients::sns(&sns.url(), Duration::from_secs(5));
        (sns, client)
    }

    fn text(value: &str) -> MessageAttributeValue {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(value);
        attribute.build().expect("a data type is set")
    }

    #[tokio::test]
    async fn an_alert_is_kept_with_all_its_parts() {
        let (sns, client) = started(None).await;
        let message = r#"{"default": "{\"version\": 1}", "sms": "50% & more + ▁▇"}"#;
        let alert = client.publish().topic_arn(TOPIC).message_structure("json").subject("Surge of sign-ups");
        let alert = alert.message_attributes("state", text("opened")).message_attributes("kind", text("surge"));
        let receipt = alert.message(message).send().await.expect("it is published");
        assert_eq!(receipt.message_id.as_deref(), Some("00000000-0000-4000-8000-000000000001"));
        client.publish().topic_arn(TOPIC).message("plain").send().await.expect("it is published");
        let attributes = json!({
            "kind": {"DataType": "String", "StringValue": "surge"},
            "state": {"DataType": "String", "StringValue": "opened"},
        });
        assert_eq!(
            serde_json::to_value(sns.published()).expect("it serialises"),
            json!([
                {"Message": message, "MessageStructure": "json", "Subject": "Surge of sign-ups", "MessageAttributes": attributes},
                {"Message": "plain", "MessageStructure": null, "Subject": null, "MessageAttributes": {}},
            ])
        );
    }

    #[tokio::test]
    async fn what_sns_refuses_is_refused_and_not_kept() {
        let (sns, client) = started(None).await;
        let publish = || client.publish().topic_arn(TOPIC);
        for request in [
            publish().message(""),
            publish().message("&".repeat(MAX_MESSAGE_BYTES + 1)),
            publish().message("{").message_structure("json"),
            publish().message(r#"{"sms": "x"}"#).message_structure("json"),
            publish().message(r#"{"default": {"version": 1}}"#).message_structure("json"),
            publish().message("x").message_structure("xml"),
            publish().message("x").subject("two\nlines"),
            publish().message("x").subject("s".repeat(101)),
            publish().message("x").message_attributes("kind", text("")),
            client.publish().message("x").topic_arn("gatepost-alerts"),
        ] {
            let described = format!("{request:.300?}");
            let refused = request.send().await.expect_err(&described);
            assert_eq!(refused.code(), Some("InvalidParameter"), "{described}");
        }
        let unknown = client.list_topics().send().await.expect_err("only Publish is known");
        assert_eq!(unknown.code(), Some("InvalidAction"));
        assert_eq!(sns.published(), []);
    }

    #[tokio::test]
    async fn a_file_keeps_whole_lines_over_a_restart() {
        let folder = std::env::temp_dir().join(format!("gatepost-sns-test-{}", std::process::id()));
        let (sns, client) = started(Some(&folder)).await;
        client.publish().topic_arn(TOPIC).message("first").send().await.expect("it is published");
        drop(sns);
        let mut file = File::options().append(true).open(folder.join(FILE)).expect("the file is there");
        file.write_all(br#"{"Message":"half"#).expect("it can be appended to");
        let (sns, client) = started(Some(&folder)).await;
        client.publish().topic_arn(TOPIC).message("second").send().await.expect("it is published");
        drop(sns);
        let (sns, _) = started(Some(&folder)).await;
        let messages: Vec<_> = sns.published().into_iter().map(|published| published.message).collect();
        assert_eq!(messages, ["first", "second"]);
        fs::remove_dir_all(folder).expect("the test's own folder can be removed");
    }

    #[test]
    fn the_oldest_messages_go_first() {
        let mut topic = Topic::default();
        for number in 0..10_005 {
            let message = Published {
                message: number.to_string(),
                message_structure: None,
                subject: None,
                message_attributes: BTreeMap::new(),
            };
            topic.keep(message).expect("memory does not fail");
        }
        assert_eq!((topic.kept.len(), topic.kept[0].message.as_str()), (10_000, "5"));
    }
}
