// SPDX-License-Identifier: MPL-2.0
//! The JSON form of a name that may be absent: the name, or an empty text.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, IntoDeserializer, value},
};

pub(crate) fn serialize<T: Serialize, S: Serializer>(name: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => name.serialize(serializer),
        None => serializer.serialize_str(""),
    }
}

/// Reads a name. A name that this version does not know is read as absent.
pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let name = Cow::<str>::deserialize(deserializer)?;
    let name: value::StrDeserializer<'_, value::Error> = name.as_ref().into_deserializer();
    Ok(T::deserialize(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Named(#[serde(with = "super")] Option<Cause>);

    #[test]
    fn an_absent_name_is_an_empty_text_and_so_reads_an_unknown_one() {
        for (cause, json) in [(Some(Cause::ModelInput), "\"model-input\""), (None, "\"\"")] {
            assert_eq!(serde_json::to_string(&Named(cause)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Named>(json).unwrap(), Named(cause));
        }
        assert_eq!(serde_json::from_str::<Named>("\"of-another-version\"").unwrap(), Named(None));
    }
}
