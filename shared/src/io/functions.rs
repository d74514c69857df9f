//! Calls of one function by another.

use aws_sdk_lambda::{Client, error::DisplayErrorContext, primitives::Blob};

use crate::{
    finding::{Finding, Severity},
    inspection::{Inspection, Seen},
    metric,
};

/// Why an invocation gave no answer. For the log.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// Throttled, slow or not there: another time it may answer.
    #[error("{function} could not be invoked: {cause}")]
    Unavailable { function: String, cause: String },
    /// It ran and failed, or ran out of time or memory.
    #[error("{function} failed: {cause}")]
    Failed { function: String, cause: String },
}

/// One function that can be invoked.
#[derive(Debug, Clone)]
pub struct Function {
    pub client: Client,
    pub name: String,
}

impl Function {
    /// Invokes and waits for the answer.
    ///
    /// # Errors
    /// When the call failed or the function itself did.
    pub async fn invoke(&self, payload: Vec<u8>) -> Result<Vec<u8>, InvokeError> {
        let invocation = self.client.invoke().function_name(&self.name).payload(Blob::new(payload)).send();
        let output = invocation.await.map_err(|error| InvokeError::Unavailable {
            function: self.name.clone(),
            cause: DisplayErrorContext(error).to_string(),
        })?;
        match output.function_error {
            Some(cause) => Err(InvokeError::Failed { function: self.name.clone(), cause }),
            None => Ok(output.payload.map(Blob::into_inner).unwrap_or_default()),
        }
    }

    /// Asks the inspector about a stored message. One that cannot be asked now defers the message; one that fails on it
    /// quarantines it.
    pub async fn inspect(&self, bucket: &str, key: &str) -> Seen {
        let payload = serde_json::json!({"bucket": bucket, "key": key}).to_string().into_bytes();
        let answer = match self.invoke(payload).await {
            Ok(answer) => serde_json::from_slice::<Inspection>(&answer).map_err(|error| error.to_string()),
            Err(error @ InvokeError::Failed { .. }) => Err(error.to_string()),
            Err(error @ InvokeError::Unavailable { .. }) => {
                warn_of_inspector(key, &error.to_string(), "the inspector cannot be asked now");
                return Seen { findings: vec![unavailable()], hosts: Vec::new() };
            }
        };
        match answer {
            Ok(inspection) => inspection.into_seen(),
            Err(cause) => {
                warn_of_inspector(key, &cause, "the inspector failed");
                Inspection::failed("the inspector failed on it").into_seen()
            }
        }
    }
}

fn warn_of_inspector(key: &str, cause: &str, said: &str) {
    tracing::warn!(name: metric::INSPECTION_FAILED, { s3.key = key, inspector.failures = 1, cause }, "{said}");
}

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] =
    &[("inspection_unavailable", "the inspector could not be asked now; the message is deferred")];

fn unavailable() -> Finding {
    let detail = "The inspector could not be asked now.";
    Finding::new("inspection_unavailable", Severity::Review, detail).at("body").deferring()
}
