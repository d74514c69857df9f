//! What the table charges for: every answer says what it consumed, and this adds it up.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut},
    },
    error::BoxError,
    operation::{
        delete_item::{DeleteItemInput, DeleteItemOutput},
        get_item::{GetItemInput, GetItemOutput},
        put_item::{PutItemInput, PutItemOutput},
        query::{QueryInput, QueryOutput},
        transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
        update_item::{UpdateItemInput, UpdateItemOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity::Total},
};

/// Requests and the units that they were charged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Consumed {
    pub reads: u64,
    pub read_units: f64,
    pub writes: u64,
    pub write_units: f64,
}

impl Consumed {
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            reads: self.reads + more.reads,
            read_units: self.read_units + more.read_units,
            writes: self.writes + more.writes,
            write_units: self.write_units + more.write_units,
        }
    }
}

/// To be given to a client. Clones add to the same sum.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Consumed>>);

impl Meter {
    /// What was consumed since the last call.
    #[must_use]
    pub fn take(&self) -> Consumed {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add_read(&self, consumed: Option<&ConsumedCapacity>) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.reads += 1;
        sum.read_units += units(consumed);
    }

    fn add_write(&self, consumed: &[ConsumedCapacity]) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.writes += 1;
        sum.write_units += consumed.iter().map(|part| units(Some(part))).sum::<f64>();
    }
}

fn units(consumed: Option<&ConsumedCapacity>) -> f64 {
    consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or(0.0)
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut();
        if let Some(input) = input.downcast_mut::<QueryInput>() {
            input.return_consumed_capacity = Some(Total);
        } else if let Some(input) = input.downcast_mut::<GetItemInput>() {
            input.return_consumed_capacity = Some(Total);
        } else if let Some(input) = input.downcast_mut::<PutItemInput>() {
            input.return_consumed_capacity = Some(Total);
        } else if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
            input.return_consumed_capacity = Some(Total);
        } else if let Some(input) = input.downcast_mut::<DeleteItemInput>() {
            input.return_consumed_capacity = Some(Total);
        } else if let Some(input) = input.downcast_mut::<TransactWriteItemsInput>() {
            input.return_consumed_capacity = Some(Total);
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else { return Ok(()) };
        if let Some(output) = output.downcast_ref::<QueryOutput>() {
            self.add_read(output.consumed_capacity());
        } else if let Some(output) = output.downcast_ref::<GetItemOutput>() {
            self.add_read(output.consumed_capacity());
        } else if let Some(output) = output.downcast_ref::<PutItemOutput>() {
            self.add_write(output.consumed_capacity.as_slice());
        } else if let Some(output) = output.downcast_ref::<UpdateItemOutput>() {
            self.add_write(output.consumed_capacity.as_slice());
        } else if let Some(output) = output.downcast_ref::<DeleteItemOutput>() {
            self.add_write(output.consumed_capacity.as_slice());
        } else if let Some(output) = output.downcast_ref::<TransactWriteItemsOutput>() {
            self.add_write(output.consumed_capacity());
        }
        Ok(())
    }
}
