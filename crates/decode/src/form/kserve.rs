//! The Open Inference Protocol (KServe v2, Triton): named tensors with shape, type and data.

use alloc::{borrow::Cow, vec::Vec};

use super::binary::{Binary, Chunk};
use crate::{
    Datatype, Part, Problem, ProblemKind, Role, Tensor,
    collect::{Collector, fault},
    json::{Document, Kind, NodeId},
    limits::MAX_DIMENSIONS,
};

/// The elements of one input as they are found.
struct Data {
    datatype: Datatype,
    values: Vec<f64>,
    count: usize,
    has_null: bool,
}

impl<'a> Collector<'a, '_> {
    /// Reads an inference request; `bytes` are those behind the JSON, of the binary tensor data extension.
    pub(crate) fn kserve(&mut self, bytes: &'a [u8]) -> Result<(), Problem> {
        let mut binary = Binary::new(bytes, self.document.body().len());
        let document = self.document;
        self.root_object()?;
        let mut found = false;
        for (key, value) in document.members(NodeId::ROOT) {
            let name = document.text(key);
            if name == "inputs" {
                found = true;
                self.inference_inputs(value, &mut binary)?;
            } else {
                self.member(key, value, Role::Unknown)?;
            }
        }
        binary.end()?;
        // In the order of the body: what stands behind the JSON comes after what stands in it.
        binary.parts.into_iter().try_for_each(|part| self.push_part(part))?;
        binary.tensors.into_iter().try_for_each(|tensor| self.push_tensor(tensor))?;
        if found { Ok(()) } else { Err(self.form(NodeId::ROOT, "there are no `inputs`")) }
    }

    fn inference_inputs(&mut self, id: NodeId, binary: &mut Binary<'a>) -> Result<(), Problem> {
        let faults = ["`inputs` is empty", "`inputs` is null", "`inputs` is no array"];
        self.each_message(id, faults, |this, input| match this.document.kind(input) {
            Kind::Object => this.inference_input(input, binary),
            Kind::Null => Err(fault(this.document, input, ProblemKind::Null, "an input is null")),
            _ => Err(this.form(input, "an input is no object")),
        })
    }

    fn inference_input(&mut self, input: NodeId, binary: &mut Binary<'a>) -> Result<(), Problem> {
        let document = self.document;
        let name = document
            .member_string(input, "name")
            .ok_or_else(|| self.form(input, "an input has no `name`"))?;
        let datatype = document
            .member_string(input, "datatype")
            .and_then(|name| Datatype::from_name(&name))
            .ok_or_else(|| self.form(input, "an input has no `datatype` that is known"))?;
        let shape =
            document.member(input, "shape").ok_or_else(|| self.form(input, "an input has no `shape`"))?;
        let (shape, product) = self.shape(shape)?;
        let data = document.member(input, "data");
        let size = document
            .member(input, "parameters")
            .and_then(|parameters| document.member(parameters, "binary_data_size"));
        if data.is_some() == size.is_some() {
            let both = "an input has both `data` and a `binary_data_size`";
            return Err(self.form(input, if size.is_some() { both } else { "an input has no `data`" }));
        }
        for (key, value) in document.members(input) {
            let field = document.text(key);
            match &*field {
                "data" | "shape" | "datatype" => {}
                _ => self.member(key, value, Role::Unknown)?,
            }
            if Some(value) == data {
                self.data(value, name.clone(), datatype, &shape, product)?;
            }
        }
        let Some(size) = size else { return Ok(()) };
        let size = self.amount(size).and_then(|size| usize::try_from(size).ok());
        let chunk = binary.take(size.ok_or_else(|| self.form(input, "a `binary_data_size` is no size"))?)?;
        self.raw_data(input, name, (datatype, &shape, product), chunk, binary)
    }

    /// Takes a tensor of raw bytes, little-endian and in row-major order.
    fn raw_data(
        &mut self,
        input: NodeId,
        name: Cow<'a, str>,
        (datatype, shape, product): (Datatype, &[usize], usize),
        chunk: Chunk<'a>,
        binary: &mut Binary<'a>,
    ) -> Result<(), Problem> {
        let bad = || Problem::new(ProblemKind::Shape, chunk.at, "an input's `shape` does not fit its `data`");
        if datatype == Datatype::Bytes {
            let mut texts = chunk.texts(product)?;
            texts.retain(|(text, _)| !text.is_empty());
            if texts.len() + self.parts.len() + binary.parts.len() > self.limits.max_parts {
                return Err(Problem::new(ProblemKind::TooMany, chunk.at, "more texts than allowed"));
            }
            let place = self.document.pointer(input);
            binary.parts.extend(texts.into_iter().map(|(text, at)| {
                let span = at..at + text.len();
                Part::outside(Cow::Borrowed(text), span, Role::User, place.clone())
            }));
            return Ok(());
        }
        if product > self.limits.max_tensor_values {
            return Err(Problem::new(ProblemKind::TooMany, chunk.at, "more numbers than allowed"));
        }
        let values = chunk.numbers(datatype).filter(|values| values.len() == product).ok_or_else(bad)?;
        let (shape, span) = (shape.to_vec(), chunk.at..chunk.at + chunk.bytes.len());
        let document = self.document.clone();
        let tensor = Tensor { name, datatype, shape, values, span, has_null: false, document, node: input };
        binary.tensors.push(tensor);
        Ok(())
    }

    /// A shape and the number of its elements.
    fn shape(&self, id: NodeId) -> Result<(Vec<usize>, usize), Problem> {
        let document = self.document;
        let bad = |detail| fault(document, id, ProblemKind::Shape, detail);
        if !document.is_numeric(id) || document.count(id) > MAX_DIMENSIONS {
            return Err(bad("a `shape` is no short array of numbers"));
        }
        let mut shape = Vec::with_capacity(document.count(id));
        for element in document.elements(id) {
            for value in self.numbers.get(document.run(element)).unwrap_or_default() {
                shape.push(dimension(*value).ok_or_else(|| bad("a dimension is no whole number"))?);
            }
        }
        if shape.len() != document.count(id) {
            return Err(bad("a dimension is no whole number"));
        }
        let product = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
        product
            .map(|product| (shape, product))
            .ok_or_else(|| bad("a `shape` of more elements than can be counted"))
    }

    fn data(
        &mut self,
        id: NodeId,
        name: Cow<'a, str>,
        datatype: Datatype,
        shape: &[usize],
        product: usize,
    ) -> Result<(), Problem> {
        let document = self.document;
        let null = document.kind(id) == Kind::Null;
        let mut data = Data { datatype, values: Vec::new(), count: 0, has_null: null };
        if !null {
            if document.kind(id) != Kind::Array {
                return Err(self.form(id, "an input's `data` is no array"));
            }
            self.flatten(id, &mut data)?;
            if data.count != product {
                return Err(fault(
                    document,
                    id,
                    ProblemKind::Shape,
                    "an input's `shape` does not fit its `data`",
                ));
            }
        }
        if datatype != Datatype::Bytes {
            let Data { values, has_null, .. } = data;
            let (shape, span) = (shape.to_vec(), document.span(id));
            let document = document.clone();
            return self.push_tensor(Tensor {
                name,
                datatype,
                shape,
                values,
                span,
                has_null,
                document,
                node: id,
            });
        }
        match (null, product) {
            (true, _) => Err(fault(document, id, ProblemKind::Null, "an input's `data` is null")),
            (false, 0) => Err(fault(document, id, ProblemKind::Empty, "an input's `data` is empty")),
            _ => Ok(()),
        }
    }

    /// Takes the elements of nested arrays in row-major order. Recurses as deep as the document goes.
    fn flatten(&mut self, id: NodeId, data: &mut Data) -> Result<(), Problem> {
        let document = self.document;
        let kind = document.kind(id);
        match (kind, data.datatype) {
            (Kind::Array, _) => {
                return document.elements(id).try_for_each(|element| self.flatten(element, data));
            }
            (Kind::String, Datatype::Bytes) => {
                let text = document.text(id);
                self.push(id, text, Role::User)?;
            }
            (Kind::Null, Datatype::Bytes) => {
                return Err(fault(document, id, ProblemKind::Null, "an element of `data` is null"));
            }
            (Kind::Null, _) => {
                data.has_null = true;
                data.values.push(0.0);
            }
            (Kind::True | Kind::False, Datatype::Bool) => {
                data.values.push(if kind == Kind::True { 1.0 } else { 0.0 });
            }
            (Kind::Numbers, datatype) if datatype != Datatype::Bytes => return self.take_run(id, data),
            _ => return Err(self.form(id, "an element of `data` is not of its `datatype`")),
        }
        data.count += 1;
        Ok(())
    }

    fn take_run(&self, id: NodeId, data: &mut Data) -> Result<(), Problem> {
        let run = self.numbers.get(self.document.run(id)).unwrap_or_default();
        data.values.reserve(run.len());
        for (index, value) in run.iter().enumerate() {
            let Some(held) = data.datatype.hold(*value) else {
                let at = element_start(self.document, id, index);
                return Err(Problem::new(
                    ProblemKind::NumberRange,
                    at,
                    "a number that its `datatype` cannot hold",
                ));
            };
            data.values.push(held);
        }
        data.count += run.len();
        Ok(())
    }
}

/// Where the number of that index stands in a run.
fn element_start(document: &Document<'_>, run: NodeId, index: usize) -> usize {
    let written = document.written(run);
    let Some(comma) =
        index.checked_sub(1).and_then(|before| memchr::memchr_iter(b',', written.as_bytes()).nth(before))
    else {
        return document.start(run);
    };
    let space = written.bytes().skip(comma + 1).take_while(u8::is_ascii_whitespace).count();
    document.start(run) + comma + 1 + space
}

/// A size that a tensor can have.
fn dimension(value: f64) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range of u32")]
    let size = (value >= 0.0 && value <= f64::from(u32::MAX)).then_some(value as u32)?;
    (f64::from(size) == value).then(|| usize::try_from(size).ok()).flatten()
}
