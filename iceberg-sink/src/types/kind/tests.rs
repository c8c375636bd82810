//! Bounds of the columns of one table.

use iceberg::spec::PrimitiveType;

use super::*;

fn nested(depth: usize) -> Kind {
    (0..depth).fold(Kind::Scalar(PrimitiveType::Int), |kind, _| Kind::List(Box::new(kind)))
}

#[test]
fn depth_and_number_are_bounded() {
    assert_eq!(check(&[Column::new("a", nested(COLUMN_NESTING_MAX - 1))]), Ok(()));
    assert!(check(&[Column::new("a", nested(COLUMN_NESTING_MAX))]).unwrap_err().why.contains("nest deeper"));
    let many: Vec<Column> =
        (0..=SCHEMA_FIELDS_MAX).map(|i| Column::new(format!("c{i}"), Kind::Scalar(PrimitiveType::Int))).collect();
    assert!(check(&many).unwrap_err().why.contains("more than 10000 fields"));
    assert_eq!(check(&many[1..]), Ok(()));
}

#[test]
fn names_of_the_broker_are_refused_at_the_top_only() {
    for name in ["kafka_offset", "kafka_timestamp_day", "Kafka_Timestamp_Day"] {
        let column = Column::new(name, Kind::Scalar(PrimitiveType::Int));
        let refused = check(std::slice::from_ref(&column)).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("field '{name}': this name belongs to")), "{refused}");
        assert_eq!(check(&[Column::new("s", Kind::Struct(vec![column]))]), Ok(()));
    }
}

#[test]
fn names_that_no_engine_can_write_are_refused() {
    for name in ["", "a\nb", &"x".repeat(256)] {
        assert!(check(&[Column::new(name, Kind::Scalar(PrimitiveType::Int))]).is_err(), "{name:?}");
    }
    assert_eq!(check(&[Column::new("größe in °", Kind::Scalar(PrimitiveType::Int))]), Ok(()));
}
