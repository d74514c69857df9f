//! What SES does with a message: prepends its header fields, stores the object, and invokes the rule's function.

use std::net::IpAddr;

use gatepost_verify_inbound::event::MessageId;
use serde_json::{Value, json};

use crate::aws::clients::REGION;

/// What the SMTP session said.
#[derive(Debug, Clone)]
pub struct Session {
    pub message_id: MessageId,
    pub client_ip: IpAddr,
    pub helo: String,
    /// Empty for the null sender.
    pub mail_from: String,
    pub rcpt_to: Vec<String>,
    /// RFC 3339.
    pub received_at: String,
    /// RFC 5322.
    pub received_date: String,
}

/// SMTP could not have carried this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("helo, mail_from and rcpt_to cannot hold control characters")]
pub struct NotSmtp;

impl Session {
    /// # Errors
    /// When a parameter could not have been said over SMTP.
    pub fn check(&self) -> Result<(), NotSmtp> {
        let said = [&self.helo, &self.mail_from].into_iter().chain(&self.rcpt_to);
        let has_control = |text: &String| text.chars().any(|c| c.is_ascii_control());
        if said.into_iter().any(has_control) { Err(NotSmtp) } else { Ok(()) }
    }

    /// The message as SES stores it. HELO and the envelope sender are repeated as they were said, as SES does.
    #[must_use]
    pub fn stored(&self, message: &[u8]) -> Vec<u8> {
        let Self { message_id, client_ip, helo, mail_from, received_date, .. } = self;
        let rcpt_to = self.rcpt_to.first().map_or("", String::as_str);
        let spf = format!(
            "none (spfCheck: {client_ip} is neither permitted nor denied by the domain) client-ip={client_ip}; \
             envelope-from={mail_from}; helo={helo};"
        );
        let prepended = format!(
            "Return-Path: <{mail_from}>\r\n\
             Received: from {helo} ({helo} [{client_ip}]) by inbound-smtp.{REGION}.amazonaws.com with SMTP id {message_id} \
             for {rcpt_to}; {received_date}\r\n\
             X-SES-Spam-Verdict: GRAY\r\n\
             X-SES-Virus-Verdict: GRAY\r\n\
             Received-SPF: {spf}\r\n\
             Authentication-Results: amazonses.com; spf={spf} dkim=none; dmarc=none;\r\n\
             X-SES-RECEIPT: bG9jYWw=\r\n\
             X-SES-DKIM-SIGNATURE: a=rsa-sha256; d=amazonses.com; b=bG9jYWw=\r\n"
        );
        [prepended.as_bytes(), message].concat()
    }

    /// The receipt event. As with SES it carries no body.
    #[must_use]
    pub fn event(&self) -> Value {
        let verdict = json!({"status": "GRAY"});
        json!({"Records": [{
            "eventSource": "aws:ses",
            "eventVersion": "1.0",
            "ses": {
                "mail": {
                    "timestamp": self.received_at,
                    "source": self.mail_from,
                    "messageId": self.message_id.as_str(),
                    "destination": self.rcpt_to,
                    "headersTruncated": true,
                    "headers": [],
                    "commonHeaders": {},
                },
                "receipt": {
                    "timestamp": self.received_at,
                    "processingTimeMillis": 1,
                    "recipients": self.rcpt_to,
                    "spamVerdict": verdict, "virusVerdict": verdict, "spfVerdict": verdict,
                    "dkimVerdict": verdict, "dmarcVerdict": verdict,
                    "action": {
                        "type": "Lambda",
                        "functionArn": format!("arn:aws:lambda:{REGION}:000000000000:function:verify-inbound"),
                        "invocationType": "RequestResponse",
                    },
                },
            },
        }]})
    }
}
