// SPDX-License-Identifier: MPL-2.0
//! What GObject knows of an element: properties and action signals.

use glib::{SignalFlags, prelude::*, subclass::SignalId, translate::*};

/// A property, as the reference writes it.
pub struct Property {
    spec: glib::ParamSpec,
}

/// The properties that the element itself has, and its parents have not.
pub fn of(factory: &gst::ElementFactory) -> Vec<Property> {
    let element = factory.create().build().unwrap();
    let own = element.type_();
    let mut all: Vec<_> = element.list_properties().iter().filter(|p| p.owner_type() == own).cloned().collect();
    all.sort_by(|a, b| a.name().cmp(b.name()));
    all.into_iter().map(|spec| Property { spec }).collect()
}

/// A number in the fewest characters that say it.
fn short(value: f64) -> String {
    if value == f64::MAX || value == f64::from(f32::MAX) { "max".into() } else { format!("{value}") }
}

impl Property {
    /// The name.
    pub fn name(&self) -> &str {
        self.spec.name()
    }

    /// What it says.
    pub fn blurb(&self) -> &str {
        self.spec.blurb().unwrap_or_default()
    }

    fn numbers(&self) -> Option<[String; 2]> {
        macro_rules! range {
            ($($spec:ident),*) => {$(
                if let Some(p) = self.spec.downcast_ref::<glib::$spec>() {
                    return Some([p.minimum().to_string(), p.maximum().to_string()]);
                }
            )*};
        }
        range!(ParamSpecInt, ParamSpecUInt, ParamSpecInt64, ParamSpecUInt64);
        if let Some(p) = self.spec.downcast_ref::<glib::ParamSpecDouble>() {
            return Some([short(p.minimum()), short(p.maximum())]);
        }
        let p = self.spec.downcast_ref::<glib::ParamSpecFloat>()?;
        Some([short(p.minimum().into()), short(p.maximum().into())])
    }

    /// Whether it is a number.
    pub fn is_number(&self) -> bool {
        self.numbers().is_some()
    }

    /// The name of its type.
    pub fn kind(&self) -> String {
        match self.spec.value_type() {
            glib::Type::STRING => "string".into(),
            glib::Type::BOOL => "bool".into(),
            glib::Type::I32 => "int".into(),
            glib::Type::U32 => "uint".into(),
            glib::Type::I64 => "int64".into(),
            glib::Type::U64 => "uint64".into(),
            glib::Type::F32 => "float".into(),
            glib::Type::F64 => "double".into(),
            t if t == gst::Structure::static_type() => "structure".into(),
            t if t.is_a(glib::Type::ENUM) => "enum".into(),
            t => t.name().into(),
        }
    }

    fn choices(&self) -> Option<Vec<String>> {
        let class = glib::EnumClass::with_type(self.spec.value_type())?;
        Some(class.values().iter().map(|v| format!("`{}`", v.nick())).collect())
    }

    /// The values that it takes, where they are fewer than its type has.
    pub fn range(&self) -> String {
        if let Some(choices) = self.choices() {
            return choices.join(", ");
        }
        self.numbers().map(|[least, most]| format!("{least}..{most}")).unwrap_or_default()
    }

    /// Its default.
    pub fn default(&self) -> String {
        let value = self.spec.default_value();
        if !self.spec.flags().contains(glib::ParamFlags::WRITABLE) {
            return String::new();
        }
        if self.choices().is_some() {
            let value = glib::EnumValue::from_value(value).expect("an enum has a value");
            return format!("`{}`", value.1.nick());
        }
        if let Ok(text) = value.get::<Option<String>>() {
            return text.filter(|t| !t.is_empty()).map_or("empty".into(), |t| format!("`{t}`"));
        }
        if let Ok(v) = value.get::<f64>() {
            return short(v);
        }
        if let Ok(v) = value.get::<f32>() {
            return v.to_string();
        }
        if value.type_() == gst::Structure::static_type() {
            return "none".into();
        }
        value.transform::<String>().ok().and_then(|v| v.get::<String>().ok()).unwrap_or_default().to_lowercase()
    }

    /// When it may be set.
    pub fn when(&self) -> &'static str {
        let flags = self.spec.flags();
        if !flags.contains(glib::ParamFlags::WRITABLE) {
            "read-only"
        } else if flags.contains(glib::ParamFlags::CONSTRUCT_ONLY) {
            "construction"
        } else if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) {
            "playing"
        } else if flags.contains(gst::PARAM_FLAG_MUTABLE_PAUSED) {
            "paused"
        } else {
            "ready"
        }
    }
}

/// An action signal, as GObject knows it.
pub struct Signal {
    /// The name.
    pub name: String,
    /// The types of the arguments.
    pub arguments: Vec<glib::Type>,
    /// The type of the answer.
    pub returns: glib::Type,
}

/// The action signals of an element.
pub fn actions(factory: &gst::ElementFactory) -> Vec<Signal> {
    let of = factory.create().build().unwrap().type_();
    let mut count = 0;
    // SAFETY: the list is `count` ids long, and ours to free.
    let ids = unsafe {
        let list = glib::gobject_ffi::g_signal_list_ids(of.into_glib(), &mut count);
        let ids = if list.is_null() { Vec::new() } else { std::slice::from_raw_parts(list, count as usize).to_vec() };
        glib::ffi::g_free(list.cast());
        ids
    };
    let known = ids.into_iter().filter_map(|id| {
        // SAFETY: GObject has just given the id.
        let query = unsafe { SignalId::new(id.try_into().ok()?) }.query();
        let arguments = query.param_types().iter().map(|t| glib::Type::from(*t)).collect();
        let signal = Signal { name: query.signal_name().into(), arguments, returns: query.return_type().into() };
        query.flags().contains(SignalFlags::ACTION).then_some(signal)
    });
    let mut all: Vec<_> = known.collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
