//! `POST /v1/validate` and `POST /v1/validate/batch`: may this address enter? `GET /v1/domains/{domain}/posture`: what does
//! that domain publish to protect itself?

mod answer;
mod caller;
mod counting;
mod failures;
mod gate;
mod openapi;
mod posture_answer;
mod problem;
mod question;
mod tokens;

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt, stream};
use gatepost::{
    address::{Examination, examine},
    flow::Flow,
    io::{table::unix_millis, telemetry::with_causes},
    mail_hosts::{Hosts, MailHosts},
    metric,
    ocsf::RefusedCaller,
    posture::Posture,
    verdict::{Context, Verdict},
};
use lambda_http::{Body, Request, RequestExt, Response, http::Method, request::RequestContext};
use tokio::time::Instant;

pub use crate::{
    answer::Answer,
    gate::{Gate, GateConfig, Services},
    posture_answer::posture_answer,
    question::{MAX_BATCH, MAX_BODY_OCTETS, POSTURE_PERMITS},
    tokens::TokenConfig,
};
use crate::{
    answer::{BatchAnswer, BatchItem},
    caller::Caller,
    problem::{Problem, ValidateError},
    question::{BatchQuestion, Question, domain_of_posture_path, subject_of},
};

/// A host that was not found by then counts as not answered: API Gateway and the caller would give up on all of them.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);

/// Addresses of one batch that are looked up at the same time.
const CONCURRENT_LOOKUPS: usize = 16;

/// Names the rules that an answer is given by.
const POLICY: &str = "2026-11";

/// One request on its way through.
struct Asked<'a> {
    gate: &'a Gate,
    request: &'a Request,
    request_id: &'a str,
    now: SystemTime,
    started: Instant,
}

/// One address, judged.
struct Judged {
    examination: Examination,
    hosts: Hosts,
    verdict: Verdict,
    /// Of the rules and the data that it was judged by.
    policy: String,
    /// How long the mail hosts were asked for.
    dns_ms: u64,
}

/// Reads the request, asks the core, writes the answer; decides nothing itself.
pub async fn handle(gate: &Gate, request: Request, now: SystemTime) -> Response<Body> {
    let request_id = request_id(&request);
    let asked = Asked { gate, request: &request, request_id: &request_id, now, started: Instant::now() };
    match asked.route().await {
        Ok(response) => response,
        Err(error) => {
            gate.count_refusal(&error, source_ip(&request), now);
            asked.log_refusal(&error);
            Problem::from(&error).into_response(&request_id)
        }
    }
}

impl Asked<'_> {
    async fn route(&self) -> Result<Response<Body>, ValidateError> {
        let path = self.request.uri().path();
        match (self.request.method(), path, domain_of_posture_path(path)) {
            (&Method::POST, "/v1/validate", _) => self.validate().await,
            (&Method::POST, "/v1/validate/batch", _) => self.validate_batch().await,
            (&Method::GET, openapi::PATH, _) => Ok(openapi::response()),
            (&Method::GET, _, Some(domain)) => self.posture(domain).await,
            (_, "/v1/validate" | "/v1/validate/batch", _) => Err(ValidateError::MethodNotAllowed { allowed: "POST" }),
            (_, openapi::PATH, _) | (_, _, Some(_)) => Err(ValidateError::MethodNotAllowed { allowed: "GET" }),
            _ => Err(ValidateError::NotFound),
        }
    }

    /// Nothing is asked for a caller who is over the quota: one posture costs as many questions as a dozen addresses.
    async fn posture(&self, domain: &str) -> Result<Response<Body>, ValidateError> {
        let caller = self.gate.caller(self.request, self.now).await?;
        let domain = subject_of(domain)?;
        let admitted = self.gate.admit(&caller, Flow::Other, None, POSTURE_PERMITS, self.now).await;
        let admission = admitted.map_err(|error| match error {
            ValidateError::BatchTooLarge { largest } => ValidateError::QuotaTooSmall { largest },
            other => other,
        })?;
        let posture = Posture::of(&self.gate.posture(&domain).await);
        self.gate.count_posture(&caller, &domain, self.now);
        self.log_posture(&caller, &posture);
        Ok(answer::json(&posture_answer(&posture), &admission))
    }

    async fn validate(&self) -> Result<Response<Body>, ValidateError> {
        let caller = self.gate.caller(self.request, self.now).await?;
        let question = Question::parse(self.request)?;
        let knowledge = self.gate.knowledge(self.now).await;
        let context = self.gate.context(&caller, question.flow, &knowledge);
        let (admission, judged) =
            tokio::try_join!(self.gate.admit(&caller, question.flow, question.client_ip, 1, self.now), async {
                Ok(self.judge(&question.email, &context).await)
            },)?;
        self.gate.count_verdict(&caller, question.flow, &judged, question.client_ip, self.now);
        self.log_verdict(&caller, question.flow, &judged);
        let answer = Answer::new(&question.email, &judged, self.request_id);
        Ok(answer::json(&answer, &admission))
    }

    async fn validate_batch(&self) -> Result<Response<Body>, ValidateError> {
        let caller = self.gate.caller(self.request, self.now).await?;
        let batch = BatchQuestion::parse(self.request)?;
        let knowledge = self.gate.knowledge(self.now).await;
        let context = self.gate.context(&caller, batch.flow, &knowledge);
        let (admission, results) =
            tokio::try_join!(self.gate.admit(&caller, batch.flow, None, batch.permits(), self.now), async {
                Ok(self.judge_batch(&batch, &context).await)
            },)?;
        for judged in results.iter().filter_map(|(_, judged)| judged.as_ref()) {
            self.gate.count_verdict(&caller, batch.flow, judged, None, self.now);
        }
        self.log_batch(&caller, &batch);
        let results = results.iter().map(|(email, judged)| self.batch_item(email, judged.as_ref())).collect();
        Ok(answer::json(&BatchAnswer { results, request_id: self.request_id }, &admission))
    }

    async fn judge(&self, email: &str, context: &Context<'_>) -> Judged {
        let examination = examine(email);
        let asked_at = Instant::now();
        let asked = tokio::time::timeout_at(self.started + ANSWER_WITHIN, self.gate.hosts(&examination, context));
        let hosts = asked.await.unwrap_or(MailHosts::TempError.into());
        Judged { dns_ms: millis(asked_at.elapsed()), ..Judged::new(examination, hosts, context) }
    }

    /// In the order of the items; `None` for one that is no text.
    async fn judge_batch<'b>(&self, batch: &'b BatchQuestion, context: &Context<'_>) -> Vec<(&'b str, Option<Judged>)> {
        let items: Vec<_> = batch.emails.iter().map(|email| self.judge_item(email.as_deref(), context)).collect();
        stream::iter(items).buffered(CONCURRENT_LOOKUPS).collect().await
    }

    async fn judge_item<'b>(&self, email: Option<&'b str>, context: &Context<'_>) -> (&'b str, Option<Judged>) {
        match email {
            Some(email) => (email, Some(self.judge(email, context).await)),
            None => ("", None),
        }
    }

    fn batch_item(&self, email: &str, judged: Option<&Judged>) -> BatchItem {
        match judged {
            Some(judged) => BatchItem::Answer(Box::new(Answer::new(email, judged, self.request_id))),
            None => BatchItem::not_a_string(self.request_id),
        }
    }

    fn log_verdict(&self, caller: &Caller, flow: Flow, judged: &Judged) {
        let mailbox = judged.examination.mailbox.as_ref();
        let domain = mailbox.map_or("", |mailbox| mailbox.domain.as_str());
        tracing::info!(
            name: metric::ADDRESS_JUDGED,
            flow = flow.as_str(),
            request.id = self.request_id,
            caller.id = caller.id,
            domain,
            address.hash = mailbox.map(|mailbox| self.gate.pseudonym(mailbox)),
            verdict = judged.verdict.decision.as_str(),
            dns_ms = judged.dns_ms,
            took_ms = millis(self.started.elapsed()),
            "an address at {domain:?}: {}",
            judged.verdict.decision.as_str(),
        );
    }

    fn log_posture(&self, caller: &Caller, posture: &Posture) {
        let domain = posture.domain.as_str();
        tracing::info!(
            name: metric::POSTURE_JUDGED,
            domain,
            request.id = self.request_id,
            caller.id = caller.id,
            score = posture.score.percent,
            posture_ms = millis(self.started.elapsed()),
            "the posture of {domain:?}: {}",
            posture.score.percent,
        );
    }

    fn log_batch(&self, caller: &Caller, batch: &BatchQuestion) {
        tracing::info!(
            name: metric::BATCH_JUDGED,
            flow = batch.flow.as_str(),
            request.id = self.request_id,
            caller.id = caller.id,
            addresses = batch.emails.len(),
            took_ms = millis(self.started.elapsed()),
            "a batch of {} addresses",
            batch.emails.len(),
        );
    }

    fn log_refusal(&self, error: &ValidateError) {
        let source = std::error::Error::source(error).map(with_causes);
        tracing::info!(
            name: metric::REQUEST_REFUSED,
            cause = source,
            request.id = self.request_id,
            caller.id = error.caller_id(),
            ocsf = error.refused_at_the_door().map(|reason| self.ocsf(reason)),
            http.status = Problem::from(error).status,
            refused_ms = millis(self.started.elapsed()),
            "refused: {error}",
        );
    }

    /// The same for a SIEM: somebody whom nobody knows.
    fn ocsf(&self, reason: &str) -> String {
        let time_ms = unix_millis(self.now);
        RefusedCaller { request_id: self.request_id, caller: "unknown", reason, time_ms }.event().to_string()
    }
}

/// The id that API Gateway gave the request, so that its access log and ours agree.
fn request_id(request: &Request) -> String {
    let RequestContext::ApiGatewayV2(context) = request.request_context() else { return String::new() };
    context.request_id.unwrap_or_default()
}

/// Where the request came from, as API Gateway saw it.
fn source_ip(request: &Request) -> Option<IpAddr> {
    let RequestContext::ApiGatewayV2(context) = request.request_context_ref()? else { return None };
    context.http.source_ip.as_deref()?.parse().ok()
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

impl Judged {
    fn new(examination: Examination, hosts: Hosts, context: &Context<'_>) -> Self {
        let verdict = Verdict::new(&examination, &hosts, context);
        // The age of the data is part of the rules.
        let policy = format!("{POLICY} data {}", context.list.built());
        Self { examination, hosts, verdict, policy, dns_ms: 0 }
    }
}

/// One address judged without HTTP, as the command line does it.
#[must_use]
pub fn answer(email: &str, examination: Examination, hosts: Hosts, context: &Context<'_>) -> Answer {
    Answer::new(email, &Judged::new(examination, hosts, context), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets of the future that a function of these arguments makes.
    fn state_of<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_state_of_a_request_is_small_since_it_is_moved_with_every_request_however_short() {
        let state = state_of(|gate: &'static Gate, request, now| handle(gate, request, now));
        assert!(state <= 24_576, "{state} octets");
    }
}
