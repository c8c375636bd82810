//! What value is this text, if no object in it has a property twice?
//!
//! RFC 8259 leaves open which of two counts: parsers take the first, the last or none, and so would the readers of a
//! table. `serde_json` takes the last one silently, hence this reader.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::pointer;
use crate::check::fault::Fault;
use crate::check::json::places::Step;

/// Reads exactly one value.
pub fn read(text: &[u8]) -> Result<Value, Fault> {
    let mut twice = None;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Unique { twice: &mut twice }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| match twice {
        Some(place) => Fault::new(format!("'{place}' comes twice")),
        None => Fault::new(format!("this is no JSON value: {error}")),
    })
}

struct Unique<'t> {
    /// Where a property comes again; the levels around it put their steps in front.
    twice: &'t mut Option<String>,
}

impl Unique<'_> {
    fn inner(&mut self) -> Unique<'_> {
        Unique { twice: self.twice }
    }

    fn within<E>(&mut self, step: Step<'_>, error: E) -> E {
        if let Some(place) = self.twice {
            place.insert_str(0, &pointer(&[step]));
        }
        error
    }
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            match seq.next_element_seed(self.inner()) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Value::Array(items)),
                Err(error) => return Err(self.within(Step::Item(items.len()), error)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut properties = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if properties.contains_key(&name) {
                *self.twice = Some(pointer(&[Step::Property(&name)]));
                return Err(A::Error::custom("a property comes twice"));
            }
            match map.next_value_seed(self.inner()) {
                Ok(value) => properties.insert(name, value),
                Err(error) => return Err(self.within(Step::Property(&name), error)),
            };
        }
        Ok(Value::Object(properties))
    }
}
