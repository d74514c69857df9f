//! What a request adds to the counters.

use std::{net::IpAddr, time::SystemTime};

use gatepost::{
    activity::{
        Channel,
        part::{DOOR, UNKNOWN},
        series,
    },
    address::Domain,
    bucket::Bucket,
    flow::Flow,
    io::counters::{Counted, Urgency},
    ip_prefix::IpPrefix,
    verdict::Decision,
};

use crate::{Judged, caller::Caller, gate::Gate, problem::ValidateError};

/// What a request of a caller was about, and for whom.
#[derive(Debug, Clone, Copy, Default)]
struct Origin<'a> {
    domain: Option<&'a str>,
    client_ip: Option<IpAddr>,
}

impl Gate {
    /// A posture is no verdict, so it counts as traffic and nothing else.
    pub(crate) fn count_posture(&self, caller: &Caller, domain: &Domain, now: SystemTime) {
        let domain = Some(domain.as_str());
        self.count(Flow::Other, caller, &[Channel::Total], Origin { domain, ..Origin::default() }, now);
    }

    pub(crate) fn count_verdict(
        &self,
        caller: &Caller,
        flow: Flow,
        judged: &Judged,
        client_ip: Option<IpAddr>,
        now: SystemTime,
    ) {
        let outcome = match judged.verdict.decision {
            Decision::Accept => Channel::Accept,
            Decision::Review => Channel::Review,
            Decision::Reject => Channel::Reject,
        };
        let domain = judged.examination.mailbox.as_ref().map(|mailbox| mailbox.domain.as_str());
        let disposable = judged.verdict.flags.disposable.then_some(Channel::Disposable);
        let channels: Vec<Channel> = [Channel::Total, outcome].into_iter().chain(disposable).collect();
        self.count(flow, caller, &channels, Origin { domain, client_ip }, now);
    }

    /// `source` is where the request came from; what it says of its end user is not known here.
    pub(crate) fn count_refusal(&self, error: &ValidateError, source: Option<IpAddr>, now: SystemTime) {
        match error {
            ValidateError::Unauthenticated | ValidateError::InvalidToken(_) | ValidateError::InsufficientScope => {
                self.count_at_door(source, &[Channel::Total, Channel::AuthFail], now);
            }
            ValidateError::TooManyFailures { .. } => {
                self.count_at_door(source, &[Channel::Total, Channel::AuthFail, Channel::Limited], now);
            }
            ValidateError::RateLimited { caller, flow, .. } => {
                self.count(*flow, caller, &[Channel::Total, Channel::Limited], Origin::default(), now);
            }
            ValidateError::BadRequest { .. }
            | ValidateError::BatchTooLarge { .. }
            | ValidateError::QuotaTooSmall { .. }
            | ValidateError::BodyTooLarge
            | ValidateError::UnsupportedMediaType
            | ValidateError::NotFound
            | ValidateError::MethodNotAllowed { .. }
            | ValidateError::SeveralCredentials
            | ValidateError::Unavailable(_)
            | ValidateError::IssuerUnavailable(_) => {}
        }
    }

    fn count_at_door(&self, source: Option<IpAddr>, channels: &[Channel], now: SystemTime) {
        let counted = Counted {
            series: &series(DOOR, UNKNOWN),
            channels,
            domain: None,
            network: source.map(IpPrefix::of_network),
            urgency: Urgency::WithBucket,
        };
        self.counters().count(&counted, Bucket::of(now));
    }

    fn count(&self, flow: Flow, caller: &Caller, channels: &[Channel], origin: Origin<'_>, now: SystemTime) {
        let counted = Counted {
            series: &series(flow.as_str(), &caller.id),
            channels,
            domain: origin.domain,
            network: origin.client_ip.map(IpPrefix::of_network),
            urgency: Urgency::Soon,
        };
        self.counters().count(&counted, Bucket::of(now));
    }
}
