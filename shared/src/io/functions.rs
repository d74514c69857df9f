//! Calls of one function by another.

use std::time::Duration;

use aws_sdk_lambda::{Client, error::DisplayErrorContext, primitives::Blob};

use crate::{finding::Finding, inspection::Inspection};

/// The inspector fetches a message and judges it within this, or its message is quarantined.
const INSPECTION_WITHIN: Duration = Duration::from_secs(15);

/// Why an invocation gave no answer. For the log.
#[derive(Debug, thiserror::Error)]
#[error("{function} did not answer: {cause}")]
pub struct InvokeError {
    function: String,
    cause: String,
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
        let output = invocation.await.map_err(|error| self.failed(DisplayErrorContext(error).to_string()))?;
        match output.function_error {
            Some(kind) => Err(self.failed(kind)),
            None => Ok(output.payload.map(Blob::into_inner).unwrap_or_default()),
        }
    }

    /// Asks the inspector about a stored message. Whatever goes wrong is a finding that quarantines.
    pub async fn inspect(&self, bucket: &str, key: &str) -> Vec<Finding> {
        let payload = serde_json::json!({"bucket": bucket, "key": key}).to_string().into_bytes();
        let answer = tokio::time::timeout(INSPECTION_WITHIN, self.invoke(payload)).await;
        let failure = match answer {
            Ok(Ok(answer)) => match serde_json::from_slice::<Inspection>(&answer) {
                Ok(inspection) => return inspection.findings,
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", INSPECTION_WITHIN.as_secs()),
        };
        tracing::warn!(s3.key = key, cause = failure, "the inspector failed");
        Inspection::failed("the inspector did not answer").findings
    }

    fn failed(&self, cause: String) -> InvokeError {
        InvokeError { function: self.name.clone(), cause }
    }
}
