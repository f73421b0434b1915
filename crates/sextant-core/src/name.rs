//! The error and the macro for closed sets of names that users type.

/// A name that is not one of a closed set (a task, a grade, a split).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`; expected one of {expected}")]
pub struct UnknownName {
    /// What kind of name was expected: `task`, `grade`, ….
    pub what: &'static str,
    /// What was found instead.
    pub found: String,
    /// The names that are accepted, joined by commas.
    pub expected: String,
}

/// Gives the variants of a field-less enum their names: implements `ALL`, `as_str`, `Display`, `FromStr`, and
/// serde as a string. Other spellings, which are read but never written, follow the name after `|`.
macro_rules! named {
    ($what:literal, $type:ident {
        $($variant:ident = $name:literal $(| $spelling:literal)*),+ $(,)?
    }) => {
        impl $type {
            /// Every value, in the order in which tables list them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name that users type and files hold.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;
            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name $(| $spelling)* => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName {
                        what: $what,
                        found: name.to_owned(),
                        expected: [$($name),+].join(", "),
                    }),
                }
            }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use named;
