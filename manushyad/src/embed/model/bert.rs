//! BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019), forward only.

use candle_core::{D, DType, Device, IndexOp, Result, Tensor};
use candle_nn::{
    Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear, ops,
};

use super::files::{Config, Pooling};

/// The encoder.
pub(super) struct Bert {
    words: Embedding,
    positions: Embedding,
    kinds: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
    dims: usize,
}

impl Bert {
    /// Takes the weights, each of the size that `config` says.
    pub(super) fn load(config: &Config, vocabulary: usize, weights: Vec<u8>) -> Result<Self> {
        let all = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        // Some write the encoder's name before each tensor's.
        let prefixed = all.contains_tensor("bert.embeddings.word_embeddings.weight");
        let all = if prefixed { all.pp("bert") } else { all };
        let dims = config.hidden_size;
        let of = all.pp("embeddings");
        let layers = (0..config.num_hidden_layers)
            .map(|number| Layer::load(config, &all.pp("encoder.layer").pp(number)));
        Ok(Self {
            words: embedding(vocabulary, dims, of.pp("word_embeddings"))?,
            positions: embedding(
                config.max_position_embeddings,
                dims,
                of.pp("position_embeddings"),
            )?,
            kinds: embedding(config.type_vocab_size, dims, of.pp("token_type_embeddings"))?,
            norm: layer_norm(dims, config.layer_norm_eps, of.pp("LayerNorm"))?,
            layers: layers.collect::<Result<_>>()?,
            dims,
        })
    }

    /// How many numbers a vector has.
    pub(super) fn dims(&self) -> usize {
        self.dims
    }

    /// The vector of a text of these tokens, of any length.
    pub(super) fn run(&self, tokens: &[u32], pooling: Pooling) -> Result<Vec<f32>> {
        let count = tokens.len() as u32;
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let places = Tensor::arange(0, count, &Device::Cpu)?;
        let kinds = Tensor::zeros(tokens.len(), DType::U32, &Device::Cpu)?;
        let sum = (self.words.forward(&ids)? + self.positions.forward(&places)?)?;
        let sum = (sum + self.kinds.forward(&kinds)?)?;
        let mut states = self.norm.forward(&sum)?;
        for layer in &self.layers {
            states = layer.forward(&states)?;
        }
        match pooling {
            Pooling::Mean => states.mean(0)?.to_vec1(),
            Pooling::Start => states.i(0)?.to_vec1(),
        }
    }
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    norm: LayerNorm,
    heads: usize,
}

impl Layer {
    fn load(config: &Config, of: &VarBuilder<'_>) -> Result<Self> {
        let (dims, wide) = (config.hidden_size, config.intermediate_size);
        let norm = |of: VarBuilder<'_>| layer_norm(dims, config.layer_norm_eps, of);
        let attention = of.pp("attention");
        let own = attention.pp("self");
        Ok(Self {
            query: linear(dims, dims, own.pp("query"))?,
            key: linear(dims, dims, own.pp("key"))?,
            value: linear(dims, dims, own.pp("value"))?,
            attended: linear(dims, dims, attention.pp("output.dense"))?,
            attended_norm: norm(attention.pp("output.LayerNorm"))?,
            widen: linear(dims, wide, of.pp("intermediate.dense"))?,
            narrow: linear(wide, dims, of.pp("output.dense"))?,
            norm: norm(of.pp("output.LayerNorm"))?,
            heads: config.num_attention_heads,
        })
    }

    /// From tokens by dimensions to the same.
    fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let (tokens, dims) = states.dims2()?;
        let size = dims / self.heads;
        let split = |projected: Tensor| -> Result<Tensor> {
            let split = projected.reshape((tokens, self.heads, size))?;
            split.transpose(0, 1)?.contiguous()
        };
        let query = (split(self.query.forward(states)?)? / (size as f64).sqrt())?;
        let key = split(self.key.forward(states)?)?;
        let value = split(self.value.forward(states)?)?;
        let scores = query.matmul(&key.transpose(1, 2)?.contiguous()?)?;
        let seen = ops::softmax(&scores, D::Minus1)?.matmul(&value)?;
        let seen = seen
            .transpose(0, 1)?
            .contiguous()?
            .reshape((tokens, dims))?;
        let seen = self
            .attended_norm
            .forward(&(self.attended.forward(&seen)? + states)?)?;
        let wide = self.widen.forward(&seen)?.gelu_erf()?;
        self.norm.forward(&(self.narrow.forward(&wide)? + &seen)?)
    }
}
