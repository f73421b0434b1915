//! Dates that Arrow counts in milliseconds and Parquet in days.

use arrow_schema::{DataType, Field, FieldRef, Fields};
use std::sync::Arc;

/// The fields of a file as Arrow describes them, but with dates as the file stores them.
///
/// pyarrow writes a column of the type `Date64` as days, as Parquet prescribes, and describes it as `Date64` in the
/// metadata. Read by that description and written again, it would become a column of plain 64-bit numbers.
pub(super) fn as_stored(described: &Fields, stored: &Fields) -> Fields {
    if described.len() != stored.len() {
        return described.clone();
    }
    described.iter().zip(stored).map(|(described, stored)| field(described, stored)).collect()
}

fn field(described: &FieldRef, stored: &FieldRef) -> FieldRef {
    let kind = kind(described.data_type(), stored.data_type());
    if kind == *described.data_type() {
        return described.clone();
    }
    Arc::new(Field::clone(described).with_data_type(kind))
}

fn kind(described: &DataType, stored: &DataType) -> DataType {
    use DataType::{Date32, Date64, FixedSizeList, LargeList, List, Map, Struct};
    match (described, stored) {
        (Date64, Date32) => Date32,
        (Struct(described), Struct(stored)) => Struct(as_stored(described, stored)),
        (List(described), List(stored)) => List(field(described, stored)),
        (LargeList(described), List(stored)) => LargeList(field(described, stored)),
        (FixedSizeList(described, length), List(stored)) => {
            FixedSizeList(field(described, stored), *length)
        }
        (Map(described, sorted), Map(stored, _)) => Map(field(described, stored), *sorted),
        _ => described.clone(),
    }
}
