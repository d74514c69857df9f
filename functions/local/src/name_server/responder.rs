//! From the octets of a query to the message that answers it.

use super::zone::{Answer, Fault, Zone};
use super::{FORWARD_DEADLINE, MAX_FORWARDED, MAX_UDP_OCTETS};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{DNSClass, Name, Record, RecordType};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Finds the response to a query.
pub(super) struct Responder {
    zone: Zone,
    elsewhere: Option<TokioResolver>,
    forwarded: Semaphore,
}

/// What is to be done about a query.
pub(super) enum Response {
    Ready(Message),
    /// Someone else is to be asked for `name`; `so_far` has the aliases that lead to it.
    Forward {
        so_far: Message,
        name: Name,
        record_type: RecordType,
    },
    /// No answer: the fault to be played, or not a query.
    Silence,
}

impl Responder {
    pub(super) fn new(zone: Zone, elsewhere: Option<TokioResolver>) -> Self {
        Self { zone, elsewhere, forwarded: Semaphore::new(MAX_FORWARDED) }
    }

    pub(super) fn respond(&self, packet: &[u8]) -> Response {
        let Ok(query) = Message::from_vec(packet) else {
            return malformed(packet);
        };
        if query.metadata.message_type == MessageType::Response {
            return Response::Silence;
        }
        let (response, code) = (response_to(&query), question_fault(&query));
        match (query.queries.first(), code) {
            (Some(question), ResponseCode::NoError) => self.answer(response, question.name(), question.query_type()),
            (_, code) => Response::Ready(with_code(response, code)),
        }
    }

    fn answer(&self, mut response: Message, name: &Name, record_type: RecordType) -> Response {
        response.metadata.authoritative = true;
        match self.zone.lookup(name, record_type) {
            Answer::Records(records) => response.answers = records,
            Answer::NoData { aliases, soa } => {
                response.answers = aliases;
                response.add_authority(soa);
            }
            Answer::NxDomain { aliases, soa } => {
                response.answers = aliases;
                response.add_authority(soa);
                response.metadata.response_code = ResponseCode::NXDomain;
            }
            Answer::Elsewhere { aliases, name } => {
                response.metadata.authoritative = false;
                response.answers = aliases;
                return Response::Forward { so_far: response, name, record_type };
            }
            Answer::Fault(Fault::Timeout) => return Response::Silence,
            Answer::Fault(Fault::ServFail) => response.metadata.response_code = ResponseCode::ServFail,
            Answer::Fault(Fault::Refused) => response.metadata.response_code = ResponseCode::Refused,
        }
        Response::Ready(response)
    }

    pub(super) async fn forward(&self, so_far: Message, name: Name, record_type: RecordType) -> Message {
        let (Some(resolver), Ok(_permit)) = (&self.elsewhere, self.forwarded.try_acquire()) else {
            return with_code(so_far, ResponseCode::ServFail);
        };
        match timeout(FORWARD_DEADLINE, resolver.lookup(name, record_type)).await {
            Ok(Ok(found)) => extended(so_far, found.message()),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => {
                let soa = none.soa.map(|soa| soa.into_record_of_rdata());
                with_code(with_authority(so_far, soa), none.response_code)
            }
            Ok(Err(_)) | Err(_) => with_code(so_far, ResponseCode::ServFail),
        }
    }

    pub(super) async fn finish(&self, response: Response) -> Option<Message> {
        match response {
            Response::Ready(message) => Some(message),
            Response::Forward { so_far, name, record_type } => Some(self.forward(so_far, name, record_type).await),
            Response::Silence => None,
        }
    }
}

/// A query that cannot be read is answered if it has a header with an id to answer to (RFC 1035 §4.1.1).
fn malformed(packet: &[u8]) -> Response {
    match packet {
        [high, low, flags, ..] if flags & 0x80 == 0 => {
            let id = u16::from_be_bytes([*high, *low]);
            Response::Ready(Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
        }
        _ => Response::Silence,
    }
}

fn question_fault(query: &Message) -> ResponseCode {
    match query.queries.as_slice() {
        _ if query.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
        [question] if question.query_class() == DNSClass::IN => ResponseCode::NoError,
        [_] => ResponseCode::Refused,
        _ => ResponseCode::FormErr,
    }
}

fn response_to(query: &Message) -> Message {
    let mut response = Message::response(query.metadata.id, query.metadata.op_code);
    response.metadata.recursion_desired = query.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    response.queries.clone_from(&query.queries);
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MAX_UDP_OCTETS);
        response.set_edns(edns);
    }
    response
}

pub(super) fn with_code(mut response: Message, code: ResponseCode) -> Message {
    response.metadata.response_code = code;
    response
}

fn with_authority(mut response: Message, soa: Option<Record>) -> Message {
    response.authorities.extend(soa);
    response
}

fn extended(mut response: Message, found: &Message) -> Message {
    response.answers.extend_from_slice(&found.answers);
    // Whether the system's resolver validated the answer (RFC 4035 §3.2.3).
    response.metadata.authentic_data = found.metadata.authentic_data;
    with_code(response, found.metadata.response_code)
}
