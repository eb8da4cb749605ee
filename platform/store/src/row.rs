//! One row of an answer.

use std::sync::Arc;

use crate::StoreError;
use crate::value::{FromValue, Value};

/// A row: values under the names of their columns.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value<'static>>,
}

impl Row {
    pub(crate) const fn new(columns: Arc<[String]>, values: Vec<Value<'static>>) -> Self {
        Self { columns, values }
    }

    /// The value of the named column.
    ///
    /// # Errors
    /// [`StoreError::NoColumn`] and [`StoreError::Type`]: the statement and its reader do not agree.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T, StoreError> {
        let index = self
            .columns
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| StoreError::NoColumn(column.to_owned()))?;
        let value = self.values.get(index).unwrap_or(&Value::Null);
        T::from_value(value).map_err(|error| error.in_column(column))
    }
}
