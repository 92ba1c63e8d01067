//! Reads a document by code that all its parts share: what serde derives is ten times as long.
//!
//! Any format that says what a value is will do ([`Deserializer::deserialize_any`]). Each part of a document is a
//! [`Target`], most of them by [`object!`] or [`named!`]: it takes the values that fit it, and tells what is wrong with
//! the others. The format adds line and column.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// Why a value is not taken.
pub(crate) enum Refusal {
    /// It is of another type than is expected.
    Type,
    /// What is wrong with it.
    Message(String),
    /// What was read within it failed, which the format has told already.
    Told,
}

/// What became of a value.
pub(crate) type Answer = Result<(), Refusal>;

/// Reads the value that is next into a target.
pub(crate) type Next<'a> = &'a mut dyn FnMut(&mut dyn Target) -> Answer;

/// What a target takes.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// A value that holds no others.
    Plain,
    /// `null`, or what it is filled with.
    Optional,
    /// Items.
    List,
    /// Entries of any name.
    Map,
    /// These fields, of which the first few must be there.
    Object(&'static [&'static str], usize),
}

/// Something that a value is read into. It holds a default, or nothing, before.
pub(crate) trait Target {
    /// What it takes, as an error says it.
    fn expecting(&self) -> &'static str;

    /// What it takes.
    fn form(&self) -> Form {
        Form::Plain
    }

    /// Takes `null`.
    fn null(&mut self) -> Answer {
        Err(Refusal::Type)
    }

    /// What an optional value is read into.
    fn filled(&mut self) -> Option<&mut dyn Target> {
        None
    }

    /// Takes a truth value.
    fn truth(&mut self, _value: bool) -> Answer {
        Err(Refusal::Type)
    }

    /// Takes a whole number.
    fn whole(&mut self, _value: u64) -> Answer {
        Err(Refusal::Type)
    }

    /// Takes any other number.
    fn number(&mut self, _value: f64) -> Answer {
        Err(Refusal::Type)
    }

    /// Takes a text.
    fn text(&mut self, _value: &str) -> Answer {
        Err(Refusal::Type)
    }

    /// Reads the next item of a list.
    fn item(&mut self, _read: Next<'_>) -> Answer {
        Err(Refusal::Type)
    }

    /// Reads the entry of this name in a map.
    fn entry(&mut self, _name: &str, _read: Next<'_>) -> Answer {
        Err(Refusal::Type)
    }

    /// Reads the field at this place in the names of an object.
    fn field(&mut self, _place: usize, _read: Next<'_>) -> Answer {
        Err(Refusal::Type)
    }
}

/// A target that can be made before anything is known of it.
pub(crate) trait Blank: Target {
    /// Its default, or nothing where a value must be given.
    fn blank() -> Self;
}

/// Reads a whole document.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn read<'de, T: Blank, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut value = T::blank();
    Reading(&mut value).deserialize(deserializer)?;
    Ok(value)
}

struct Reading<'a>(&'a mut dyn Target);

impl Reading<'_> {
    fn wrong<E: Error>(&self, refusal: Refusal, found: &dyn fmt::Display) -> E {
        match refusal {
            // What failed within has its error; this one is never seen.
            Refusal::Told => E::custom(""),
            Refusal::Message(message) => E::custom(message),
            Refusal::Type => E::custom(format!("invalid type: {found}, expected {}", self.0.expecting())),
        }
    }

    fn plain<E: Error>(self, answer: Answer, found: &dyn fmt::Display) -> Result<(), E> {
        answer.map_err(|refusal| self.wrong(refusal, found))
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.form() {
            Form::Optional => deserializer.deserialize_option(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.expecting())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.filled() {
            Some(target) => Reading(target).deserialize(deserializer),
            None => Err(D::Error::custom("nothing is expected")),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        let answer = self.0.null();
        self.plain(answer, &"null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        let answer = self.0.truth(value);
        self.plain(answer, &format_args!("boolean `{value}`"))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let answer = self.0.whole(value);
        self.plain(answer, &format_args!("integer `{value}`"))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        // No field takes integers of this size, so nothing is lost.
        #[expect(clippy::cast_precision_loss, reason = "bounds of tensors are floating-point numbers")]
        let answer = self.0.number(value as f64);
        self.plain(answer, &format_args!("integer `{value}`"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let answer = self.0.number(value);
        self.plain(answer, &format_args!("number {}", written(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let answer = self.0.text(value);
        self.plain(answer, &format_args!("string {value:?}"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if !matches!(self.0.form(), Form::List) {
            return Err(self.wrong(Refusal::Type, &"sequence"));
        }
        let (mut more, mut failed) = (true, None);
        while more {
            // An item is made first, and taken back where there was none.
            let answer = self.0.item(&mut |target| match items.next_element_seed(Reading(target)) {
                Ok(Some(())) => Ok(()),
                Ok(None) => {
                    more = false;
                    Err(Refusal::Told)
                }
                Err(error) => {
                    failed = Some(error);
                    Err(Refusal::Told)
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if more {
                answer.map_err(|refusal| self.wrong(refusal, &"sequence"))?;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let form = self.0.form();
        let mut seen = 0u64;
        while let Some(name) = entries.next_key::<String>()? {
            let mut failed = None;
            let mut read = |target: &mut dyn Target| {
                entries.next_value_seed(Reading(target)).map_err(|error| {
                    failed = Some(error);
                    Refusal::Told
                })
            };
            let answer = match form {
                Form::Object(names, _) => {
                    place(names, &name, &mut seen).and_then(|place| self.0.field(place, &mut read))
                }
                Form::Map => self.0.entry(&name, &mut read),
                _ => Err(Refusal::Type),
            };
            if let Some(error) = failed {
                return Err(error);
            }
            answer.map_err(|refusal| self.wrong(refusal, &"map"))?;
        }
        if let Form::Object(names, required) = form
            && let Some((_, missing)) =
                names.iter().take(required).enumerate().find(|(place, _)| seen & 1 << place == 0)
        {
            return Err(A::Error::custom(format!("missing field `{missing}`")));
        }
        match form {
            Form::Object(..) | Form::Map => Ok(()),
            _ => Err(self.wrong(Refusal::Type, &"map")),
        }
    }
}

/// The place of a field's name, which may be there once.
fn place(names: &[&str], name: &str, seen: &mut u64) -> Result<usize, Refusal> {
    let Some(place) = names.iter().position(|known| *known == name) else {
        return Err(Refusal::Message(format!("unknown field `{name}`, expected {}", one_of(names))));
    };
    if *seen & 1 << place != 0 {
        return Err(Refusal::Message(format!("duplicate field `{name}`")));
    }
    *seen |= 1 << place;
    Ok(place)
}

/// Names as an error lists them.
pub(crate) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &*quoted {
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        several => format!("one of {}", several.join(", ")),
    }
}

/// A number as JSON writes it: by code that serialising needs anyway.
pub(crate) fn written(value: f64) -> String {
    serde_json::Number::from_f64(value)
        .map_or_else(|| "that is not finite".into(), |number| number.to_string())
}

impl Target for bool {
    fn expecting(&self) -> &'static str {
        "true or false"
    }

    fn truth(&mut self, value: bool) -> Answer {
        *self = value;
        Ok(())
    }
}

impl Target for f64 {
    fn expecting(&self) -> &'static str {
        "a number"
    }

    #[expect(clippy::cast_precision_loss, reason = "a bound beyond 2^53 is met as nearly as it can be")]
    fn whole(&mut self, value: u64) -> Answer {
        self.number(value as f64)
    }

    fn number(&mut self, value: f64) -> Answer {
        *self = value;
        Ok(())
    }
}

impl Target for u32 {
    fn expecting(&self) -> &'static str {
        "a whole number"
    }

    fn whole(&mut self, value: u64) -> Answer {
        within("number", self, 0, u32::MAX.into()).whole(value)
    }
}

impl Target for u8 {
    fn expecting(&self) -> &'static str {
        "a whole number"
    }

    fn whole(&mut self, value: u64) -> Answer {
        within("number", self, 0, u8::MAX.into()).whole(value)
    }
}

impl Target for String {
    fn expecting(&self) -> &'static str {
        "a string"
    }

    fn text(&mut self, value: &str) -> Answer {
        *self = value.into();
        Ok(())
    }
}

/// `null` is nothing, all else is read.
impl<T: Blank> Target for Option<T> {
    fn expecting(&self) -> &'static str {
        T::blank().expecting()
    }

    fn form(&self) -> Form {
        Form::Optional
    }

    fn null(&mut self) -> Answer {
        *self = None;
        Ok(())
    }

    fn filled(&mut self) -> Option<&mut dyn Target> {
        Some(self.get_or_insert_with(T::blank))
    }
}

impl<T: Blank> Target for Vec<T> {
    fn expecting(&self) -> &'static str {
        "a list"
    }

    fn form(&self) -> Form {
        Form::List
    }

    fn item(&mut self, read: Next<'_>) -> Answer {
        let mut item = T::blank();
        read(&mut item)?;
        self.push(item);
        Ok(())
    }
}

impl<T: Blank> Blank for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }
}

/// Entries of any name.
impl<T: Blank> Target for BTreeMap<String, T> {
    fn expecting(&self) -> &'static str {
        "an object"
    }

    fn form(&self) -> Form {
        Form::Map
    }

    fn entry(&mut self, name: &str, read: Next<'_>) -> Answer {
        let mut value = T::blank();
        read(&mut value)?;
        self.insert(name.into(), value);
        Ok(())
    }
}

/// A list of at most so many items.
pub(crate) struct AtMost<'a, T> {
    name: &'static str,
    list: &'a mut Vec<T>,
    most: usize,
}

/// The field `name` may hold at most so many items.
pub(crate) const fn at_most<'a, T>(name: &'static str, list: &'a mut Vec<T>, most: usize) -> AtMost<'a, T> {
    AtMost { name, list, most }
}

impl<T: Blank> Target for AtMost<'_, T> {
    fn expecting(&self) -> &'static str {
        self.list.expecting()
    }

    fn form(&self) -> Form {
        Form::List
    }

    fn item(&mut self, read: Next<'_>) -> Answer {
        self.list.item(read)?;
        not_above(self.name, self.list.len(), self.most)
    }
}

/// Refuses more items or entries than a field takes.
pub(crate) fn not_above(name: &str, count: usize, most: usize) -> Answer {
    if count > most {
        return Err(Refusal::Message(format!("{name} has more than {most} items")));
    }
    Ok(())
}

/// A whole number within bounds.
pub(crate) struct Within<'a, T> {
    name: &'static str,
    place: &'a mut T,
    least: u64,
    most: u64,
}

/// The field `name` takes numbers from `least` to `most`, which its type holds.
pub(crate) const fn within<'a, T>(
    name: &'static str,
    place: &'a mut T,
    least: u64,
    most: u64,
) -> Within<'a, T> {
    Within { name, place, least, most }
}

impl<T: TryFrom<u64>> Target for Within<'_, T> {
    fn expecting(&self) -> &'static str {
        "a whole number"
    }

    fn whole(&mut self, value: u64) -> Answer {
        let Self { name, least, most, .. } = self;
        match T::try_from(value) {
            Ok(number) if (*least..=*most).contains(&value) => {
                *self.place = number;
                Ok(())
            }
            _ => Err(Refusal::Message(format!("{name} {value} does not lie between {least} and {most}"))),
        }
    }
}

/// Reads a struct, field by field, over its [`Blank`]: those that must be there, then the others. A field is read as
/// its type says, or by what stands behind it: `max_depth: within(1, 64)` calls
/// `within("max_depth", &mut self.max_depth, 1, 64)`. Each field has to be named.
macro_rules! object {
    (
        $of:ident, needs [$($needed:ident $(: $needed_by:ident ($($needed_with:expr),*))?),*],
        takes [$($field:ident $(: $by:ident ($($with:expr),*))?),* $(,)?]
    ) => {
        impl $crate::read::Target for $of {
            fn expecting(&self) -> &'static str {
                "an object"
            }

            fn form(&self) -> $crate::read::Form {
                const NEEDED: &[&str] = &[$(stringify!($needed)),*];
                $crate::read::Form::Object(&[$(stringify!($needed),)* $(stringify!($field)),*], NEEDED.len())
            }

            fn field(&mut self, place: usize, read: $crate::read::Next<'_>) -> $crate::read::Answer {
                // The compiler sees to it that none is forgotten.
                let Self { $($needed: _,)* $($field: _),* } = self;
                let mut fields = 0..;
                $(if fields.next() == Some(place) {
                    return read($crate::read::object!(@ self $needed $($needed_by ($($needed_with),*))?));
                })*
                $(if fields.next() == Some(place) {
                    return read($crate::read::object!(@ self $field $($by ($($with),*))?));
                })*
                Err($crate::read::Refusal::Type)
            }
        }
    };
    (@ $self:ident $field:ident) => { &mut $self.$field };
    (@ $self:ident $field:ident $by:ident ($($with:expr),*)) => {
        &mut $by(stringify!($field), &mut $self.$field $(, $with)*)
    };
}

/// Reads an enum by the names of its variants.
macro_rules! named {
    ($of:ident: $($name:literal => $variant:ident),+ $(,)?) => {
        impl $crate::read::Target for $of {
            fn expecting(&self) -> &'static str {
                "a name"
            }

            fn text(&mut self, text: &str) -> $crate::read::Answer {
                const NAMES: &[&str] = &[$($name),+];
                let place = $crate::read::place_of(NAMES, text)?;
                if let Some(variant) = [$(Self::$variant),+].get(place) {
                    *self = *variant;
                }
                Ok(())
            }
        }
    };
}

/// The place of a variant's name.
pub(crate) fn place_of(names: &[&str], name: &str) -> Result<usize, Refusal> {
    let unknown = || Refusal::Message(format!("unknown variant `{name}`, expected {}", one_of(names)));
    names.iter().position(|known| *known == name).ok_or_else(unknown)
}

/// Starts from [`Default`].
macro_rules! blank {
    ($($of:ty),+ $(,)?) => {$(
        impl $crate::read::Blank for $of {
            fn blank() -> Self {
                Self::default()
            }
        }
    )+};
}

pub(crate) use {blank, named, object};

blank!(bool, f64, u32, u8, String);
