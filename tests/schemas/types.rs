// SPDX-License-Identifier: MPL-2.0
//! Reads the types of the sources as serde writes them, and makes a JSON Schema of one: fields, names, descriptions.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use syn::{Attribute, Fields, GenericArgument, Item, PathArguments, Type};

/// A type of the sources, and the file that it stands in.
struct Found {
    file: PathBuf,
    item: Item,
}

/// All types of the sources, by name.
pub struct Types(BTreeMap<String, Vec<Found>>);

/// What serde and the comments say of a type, a field or a variant.
#[derive(Default)]
struct Notes {
    words: BTreeMap<String, Option<String>>,
    what: String,
}

impl Notes {
    fn of(attributes: &[Attribute]) -> Self {
        let mut notes = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                let read = attribute.parse_nested_meta(|meta| {
                    let value = match meta.value() {
                        Ok(value) => Some(value.parse::<syn::LitStr>()?.value()),
                        Err(_) => None,
                    };
                    notes.words.insert(meta.path.require_ident()?.to_string(), value);
                    Ok(())
                });
                read.expect("a serde attribute of names and texts");
            } else if let (true, syn::Meta::NameValue(doc)) = (attribute.path().is_ident("doc"), &attribute.meta)
                && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &doc.value
            {
                notes.what = format!("{} {}", notes.what, text.value().trim()).trim().into();
            }
        }
        notes.what = plain(&notes.what);
        notes
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    fn text(&self, word: &str) -> Option<&str> {
        self.words.get(word)?.as_deref()
    }

    /// The name of a field or a variant in JSON.
    fn name(&self, own: &str, all: Option<&str>) -> String {
        match (self.text("rename"), all) {
            (Some(name), _) => name.into(),
            (None, Some("kebab-case")) => parted(own, '-'),
            (None, Some("snake_case")) => parted(own, '_'),
            (None, Some("lowercase")) => own.to_lowercase(),
            (None, None) => own.trim_start_matches("r#").into(),
            (None, Some(other)) => panic!("rename_all = {other:?} is not known here"),
        }
    }
}

/// `TwoWords` and `two_words` as `two-words`.
fn parted(name: &str, by: char) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        match c {
            '_' => out.push(by),
            c if c.is_uppercase() && i > 0 => out.extend([by, c.to_ascii_lowercase()]),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// A comment without the links of rustdoc.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find("`]").map(|end| start + end) else { break };
        out.push_str(&rest[start + 1..end + 1]);
        rest = &rest[end + 2..];
        if let Some(after) = rest.strip_prefix('(') {
            rest = &after[after.find(')').map_or(0, |at| at + 1)..];
        }
    }
    out.push_str(rest);
    out
}

impl Types {
    /// Reads all sources below the folders.
    pub fn read(folders: &[PathBuf]) -> Self {
        let mut types = Self(BTreeMap::new());
        folders.iter().for_each(|folder| types.walk(folder));
        types
    }

    fn walk(&mut self, folder: &Path) {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                self.walk(&path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
                for item in file.items {
                    let name = match &item {
                        Item::Struct(i) => i.ident.to_string(),
                        Item::Enum(i) => i.ident.to_string(),
                        Item::Type(i) => i.ident.to_string(),
                        _ => continue,
                    };
                    self.0.entry(name).or_default().push(Found { file: path.clone(), item });
                }
            }
        }
    }

    /// The schema of a type, as one document whose field `schema` is `schema`. `is_read` is for a document that people
    /// write, in which they may leave out what has a default.
    pub fn schema(&self, file: &Path, name: &str, schema: &str, is_read: bool) -> Value {
        let mut writer = Writer { types: self, definitions: Map::new(), is_read };
        let found = self.find(name, file, None).unwrap_or_else(|| panic!("{}: no {name}", file.display()));
        let document = writer.item(found, &BTreeMap::new());
        writer.finish(document, schema)
    }

    /// The schema of a document of these fields.
    pub fn of_parts(&self, file: &Path, parts: &[(&str, &str)], schema: &str) -> Value {
        let mut writer = Writer { types: self, definitions: Map::new(), is_read: false };
        let mut properties = Map::from_iter([("schema".to_string(), Value::Null)]);
        for (name, t) in parts {
            let t = syn::parse_str(t).unwrap_or_else(|e| panic!("{t}: {e}"));
            properties.insert((*name).into(), writer.schema_of(&t, file, &Generics::new()));
        }
        let required: Vec<_> = properties.keys().cloned().collect();
        writer.finish(json!({"type": "object", "required": required, "properties": properties}), schema)
    }

    /// The type of that name that is nearest to `file`; `within` is the module in front of the name.
    fn find(&self, name: &str, file: &Path, within: Option<&str>) -> Option<&Found> {
        let near = |found: &&Found| {
            let stem = found.file.file_stem().and_then(|s| s.to_str());
            let folder = found.file.parent().and_then(|p| p.file_name()).and_then(|s| s.to_str());
            let is_within = within.is_some_and(|m| stem == Some(m) || folder == Some(m));
            let common = found.file.components().zip(file.components()).take_while(|(a, b)| a == b).count();
            (is_within, found.file == file, common)
        };
        self.0.get(name)?.iter().max_by_key(near)
    }
}

struct Writer<'a> {
    types: &'a Types,
    definitions: Map<String, Value>,
    /// Whether people write the document, and may leave out what has a default.
    is_read: bool,
}

impl Writer<'_> {
    /// Completes a document with its names and the types that it refers to.
    fn finish(self, mut document: Value, schema: &str) -> Value {
        let root = document.as_object_mut().unwrap();
        root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        root.insert("$id".into(), format!("urn:{}", schema.replace(['.', '/'], ":")).into());
        root.insert("title".into(), schema.into());
        if let Some(field) = root.get_mut("properties").and_then(|p| p.get_mut("schema")) {
            *field = json!({"const": schema});
        }
        if !self.definitions.is_empty() {
            root.insert("$defs".into(), Value::Object(self.definitions));
        }
        document
    }
}

/// The types that stand for the generic ones.
type Generics = BTreeMap<String, Value>;

fn described(mut schema: Value, what: &str) -> Value {
    if !what.is_empty()
        && let Some(object) = schema.as_object_mut()
    {
        object.insert("description".into(), what.into());
    }
    schema
}

/// The schema, or null.
fn or_null(schema: Value) -> Value {
    match schema.get("type") {
        Some(Value::String(one)) if schema.get("enum").is_none() => {
            let both = json!([one, "null"]);
            let mut schema = schema;
            schema["type"] = both;
            schema
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

impl Writer<'_> {
    fn item(&mut self, found: &Found, generics: &Generics) -> Value {
        match &found.item {
            Item::Struct(item) => {
                let notes = Notes::of(&item.attrs);
                let schema = self.fields(&item.fields, &notes, &found.file, generics);
                described(schema, &notes.what)
            }
            Item::Enum(item) => {
                let notes = Notes::of(&item.attrs);
                described(self.variants(item, &notes, found, generics), &notes.what)
            }
            Item::Type(item) => self.schema_of(&item.ty, &found.file, generics),
            _ => unreachable!("only types are kept"),
        }
    }

    fn fields(&mut self, fields: &Fields, notes: &Notes, file: &Path, generics: &Generics) -> Value {
        let Fields::Named(named) = fields else {
            let all: Vec<_> = fields.iter().map(|f| self.schema_of(&f.ty, file, generics)).collect();
            return match <[Value; 1]>::try_from(all) {
                Ok([one]) => one,
                Err(all) => json!({"type": "array", "prefixItems": all, "items": false}),
            };
        };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in &named.named {
            let own = Notes::of(&field.attrs);
            if own.has("skip") || own.has("skip_serializing") {
                continue;
            }
            let schema = match own.text("with") {
                Some("or_empty" | "hex") => json!({"type": "string"}),
                Some(other) => panic!("with = {other:?} is not known here"),
                None => self.schema_of(&field.ty, file, generics),
            };
            if own.has("flatten") {
                let inner = self.resolved(&schema);
                // Of several forms, the fields of one are there.
                let forms = inner["anyOf"].as_array().cloned().unwrap_or_else(|| vec![inner.clone()]);
                for form in &forms {
                    let fields = form["properties"].as_object().unwrap_or_else(|| panic!("{form} is flattened"));
                    properties.extend(fields.clone());
                }
                required.extend(inner["required"].as_array().cloned().unwrap_or_default());
                continue;
            }
            let name = own.name(&field.ident.as_ref().unwrap().to_string(), notes.text("rename_all"));
            let may_be_left_out = self.is_read && (own.has("default") || notes.has("default"));
            if !own.has("skip_serializing_if") && !may_be_left_out {
                required.push(name.clone().into());
            }
            properties.insert(name, described(schema, &own.what));
        }
        json!({"type": "object", "required": required, "properties": properties})
    }

    fn resolved(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str().and_then(|r| r.strip_prefix("#/$defs/")) {
            Some(name) => self.definitions[name].clone(),
            None => schema.clone(),
        }
    }

    fn variants(&mut self, item: &syn::ItemEnum, notes: &Notes, found: &Found, generics: &Generics) -> Value {
        let all = notes.text("rename_all");
        let (mut words, mut forms) = (Vec::new(), Vec::new());
        for variant in &item.variants {
            let own = Notes::of(&variant.attrs);
            let name = own.name(&variant.ident.to_string(), all);
            let tag = notes.text("tag");
            if variant.fields.is_empty() && tag.is_none() {
                words.push(Value::from(name));
                continue;
            }
            let form = match (&variant.fields, tag) {
                (Fields::Unit, _) => json!({"type": "object", "required": [], "properties": {}}),
                (fields, _) => self.fields(fields, &own, &found.file, generics),
            };
            forms.push(described(
                match tag {
                    Some(tag) => {
                        let mut form = self.resolved(&form);
                        form["properties"][tag] = json!({"const": name});
                        form["required"].as_array_mut().unwrap().push(tag.into());
                        form
                    }
                    None => {
                        let mut one = json!({"type": "object", "required": [name], "properties": {}});
                        one["properties"][&name] = form;
                        one
                    }
                },
                &own.what,
            ));
        }
        if !words.is_empty() {
            forms.insert(0, json!({"type": "string", "enum": words}));
        }
        if forms.len() == 1 { forms.remove(0) } else { json!({"anyOf": forms}) }
    }

    fn schema_of(&mut self, t: &Type, file: &Path, generics: &Generics) -> Value {
        match t {
            Type::Reference(r) => self.schema_of(&r.elem, file, generics),
            Type::Slice(s) => json!({"type": "array", "items": self.schema_of(&s.elem, file, generics)}),
            Type::Array(a) => {
                let items = self.schema_of(&a.elem, file, generics);
                match &a.len {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(n), .. }) => {
                        let n: u64 = n.base10_parse().unwrap();
                        json!({"type": "array", "items": items, "minItems": n, "maxItems": n})
                    }
                    _ => json!({"type": "array", "items": items}),
                }
            }
            Type::Tuple(tuple) => {
                let all: Vec<_> = tuple.elems.iter().map(|t| self.schema_of(t, file, generics)).collect();
                json!({"type": "array", "minItems": all.len(), "maxItems": all.len(), "prefixItems": all})
            }
            Type::Path(path) => self.path(&path.path, file, generics),
            _ => panic!("{}: a type that JSON has none for", file.display()),
        }
    }

    fn path(&mut self, path: &syn::Path, file: &Path, generics: &Generics) -> Value {
        let last = path.segments.last().unwrap();
        let arguments: Vec<_> = match &last.arguments {
            PathArguments::AngleBracketed(a) => a
                .args
                .iter()
                .filter_map(|a| match a {
                    GenericArgument::Type(t) => Some(t),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let name = last.ident.to_string();
        if let Some(schema) = generics.get(&name) {
            return schema.clone();
        }
        let mut argument = |i: usize| self.schema_of(arguments[i], file, generics);
        match name.as_str() {
            // A headline is written as its sentence.
            "String" | "str" | "PathBuf" | "Path" | "Headline" => json!({"type": "string"}),
            "bool" => json!({"type": "boolean"}),
            "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => json!({"type": "integer", "minimum": 0}),
            "i8" | "i16" | "i32" | "i64" | "isize" => json!({"type": "integer"}),
            "f32" | "f64" => json!({"type": "number"}),
            "Uuid" => json!({"type": "string", "format": "uuid"}),
            "Value" => json!({}),
            "Arc" | "Box" | "Cow" | "Rc" => argument(0),
            "Option" => or_null(argument(0)),
            "Vec" | "VecDeque" | "BTreeSet" => json!({"type": "array", "items": argument(0)}),
            "BTreeMap" | "HashMap" => json!({"type": "object", "additionalProperties": argument(1)}),
            _ => {
                let schemas: Vec<_> = (0..arguments.len()).map(argument).collect();
                self.named(&name, path, file, schemas)
            }
        }
    }

    /// A type of the sources: in place where it is an alias, else by reference.
    fn named(&mut self, name: &str, path: &syn::Path, file: &Path, arguments: Vec<Value>) -> Value {
        let within = path.segments.iter().rev().nth(1).map(|s| s.ident.to_string());
        let types = self.types;
        let found = types.find(name, file, within.as_deref());
        let found = found.unwrap_or_else(|| panic!("{}: {name} is no type of the sources", file.display()));
        let parameters = match &found.item {
            Item::Struct(i) => &i.generics,
            Item::Enum(i) => &i.generics,
            _ => return self.item(found, &Generics::new()),
        };
        let names: Vec<_> = parameters.type_params().map(|p| p.ident.to_string()).collect();
        if !names.is_empty() {
            return self.item(found, &names.into_iter().zip(arguments).collect());
        }
        if !self.definitions.contains_key(name) {
            // It may refer to itself.
            self.definitions.insert(name.into(), Value::Null);
            let schema = self.item(found, &Generics::new());
            self.definitions.insert(name.into(), schema);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }
}
