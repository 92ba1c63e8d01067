//! Any JSON: every string is a part, and numeric arrays where models look for input are tensors.

use alloc::{borrow::Cow, vec, vec::Vec};

use super::shape::rectangle;
use crate::{
    Datatype, Problem, ProblemKind, Role, Tensor,
    collect::{Collector, fault, is_base64},
    json::{Kind, NodeId},
    label,
};

/// What numbers are at some place of a document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Numbers {
    /// Settings, ids, times: nothing to judge.
    Plain,
    /// Arrays of numbers are tensors.
    Arrays,
    /// Single numbers and nulls are, too: the features of a record.
    All,
}

/// What numbers are under a member of that name: `instances` of TF-Serving, MLflow's data frames, and what people call
/// a model's input.
fn numbers_under(name: &str) -> Numbers {
    match name {
        "instances" | "dataframe_records" => Numbers::All,
        "inputs" | "input" | "data" | "dataframe_split" | "features" | "feature" | "tensor" | "tensors"
        | "x" | "X" | "values" | "array" | "ndarray" | "vector" | "vectors" | "image" | "images"
        | "pixels" | "embedding" | "embeddings" | "samples" | "signal" => Numbers::Arrays,
        _ => Numbers::Plain,
    }
}

/// Whether a member of the request's own object is the model's input for certain.
fn is_input(name: &str) -> bool {
    matches!(name, "instances" | "inputs" | "input")
}

impl<'a> Collector<'a, '_> {
    /// Reads any JSON.
    pub(crate) fn generic(&mut self) -> Result<(), Problem> {
        let document = self.document;
        if document.kind(NodeId::ROOT) == Kind::Null {
            return Err(fault(document, NodeId::ROOT, ProblemKind::Null, "the body is null"));
        }
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            self.setting(&name, value);
        }
        self.any(NodeId::ROOT, None, Numbers::Arrays)
    }

    /// Reads a value; `key` is the name of the member that holds it. Recurses as deep as the document goes.
    fn any(&mut self, id: NodeId, key: Option<NodeId>, numbers: Numbers) -> Result<(), Problem> {
        let document = self.document;
        match document.kind(id) {
            Kind::String => {
                let text = document.text(id);
                let field =
                    !text.is_empty() && key.is_some_and(|key| label::is_identifier(&document.text(key)));
                self.push(id, text, if field { Role::Field } else { Role::Unknown })
            }
            Kind::Object => self.any_members(id, numbers),
            Kind::Array if numbers > Numbers::Plain && document.is_numeric(id) => {
                match rectangle(document, id) {
                    None => document.elements(id).try_for_each(|element| self.row(element, key)),
                    shape => self.tensor(id, key, shape),
                }
            }
            Kind::Array => document.elements(id).try_for_each(|element| self.any(element, key, numbers)),
            Kind::Numbers if numbers == Numbers::All => {
                let shape = if document.count(id) == 1 { Vec::new() } else { vec![document.count(id)] };
                self.tensor(id, key, Some(shape))
            }
            Kind::Null if numbers == Numbers::All => self.tensor(id, key, Some(Vec::new())),
            _ => Ok(()),
        }
    }

    /// Reads an element of a ragged array: a tensor of its own, of one dimension where it is ragged itself.
    fn row(&mut self, id: NodeId, key: Option<NodeId>) -> Result<(), Problem> {
        let nested = self.document.kind(id) == Kind::Array;
        let shape = if nested { rectangle(self.document, id) } else { None };
        self.tensor(id, key, shape)
    }

    fn any_members(&mut self, object: NodeId, numbers: Numbers) -> Result<(), Problem> {
        let document = self.document;
        let root = object == NodeId::ROOT;
        let outside = if root { Numbers::Plain } else { numbers };
        for (key, value) in document.members(object) {
            let name = document.text(key);
            if name == "b64" && self.is_picture(value) {
                continue;
            }
            self.name(key, &name)?;
            let null = root && is_input(&name) && document.kind(value) == Kind::Null;
            let numbers = if null { Numbers::All } else { outside.max(numbers_under(&name)) };
            self.any(value, Some(key), numbers)?;
        }
        Ok(())
    }

    /// Whether a value is a picture in base64, as TF-Serving takes them in `{"b64": …}`; counts it. Other bytes stay a
    /// part: what undoes base64 will look into them.
    fn is_picture(&mut self, id: NodeId) -> bool {
        // How PNG, JPEG, GIF and RIFF (WebP) begin, in base64.
        const BEGINNINGS: [&str; 4] = ["iVBORw0KGgo", "/9j/", "R0lGODlh", "UklGR"];
        let Some(text) = self.document.string(id) else { return false };
        let picture = BEGINNINGS.iter().any(|known| text.starts_with(known)) && is_base64(&text);
        if picture {
            self.facts.opaque_bytes += text.len();
            self.count_media("image");
        }
        picture
    }

    /// Takes a numeric array, run or null as a tensor; without a shape, of one dimension.
    fn tensor(&mut self, id: NodeId, key: Option<NodeId>, shape: Option<Vec<usize>>) -> Result<(), Problem> {
        let document = self.document;
        let mut gathered = Gathered::default();
        self.gather(id, &mut gathered);
        let Gathered { mut values, fraction, has_null } = gathered;
        if document.kind(id) == Kind::Null {
            values.clear();
        }
        let shape = shape.unwrap_or_else(|| vec![values.len()]);
        let datatype = if fraction { Datatype::Float(64) } else { Datatype::Int(64) };
        let name = key.map_or(Cow::Borrowed(""), |key| document.text(key));
        let span = document.span(id);
        self.push_tensor(Tensor {
            name,
            datatype,
            shape,
            values,
            span,
            has_null,
            document: document.clone(),
            node: id,
        })
    }

    /// Takes a tensor.
    pub(super) fn push_tensor(&mut self, tensor: Tensor<'a>) -> Result<(), Problem> {
        if self.tensors.len() >= self.limits.max_tensors {
            return Err(Problem::new(ProblemKind::TooMany, tensor.span.start, "more tensors than allowed"));
        }
        self.tensors.push(tensor);
        Ok(())
    }

    fn gather(&self, id: NodeId, gathered: &mut Gathered) {
        let document = self.document;
        match document.kind(id) {
            Kind::Numbers => {
                gathered.values.extend_from_slice(self.numbers.get(document.run(id)).unwrap_or_default());
                gathered.fraction |= document.has_fraction(id);
            }
            Kind::Null => {
                gathered.values.push(0.0);
                gathered.has_null = true;
            }
            _ => document.elements(id).for_each(|element| self.gather(element, gathered)),
        }
    }
}

/// The elements of a tensor as they are found.
#[derive(Default)]
struct Gathered {
    values: Vec<f64>,
    fraction: bool,
    has_null: bool,
}
