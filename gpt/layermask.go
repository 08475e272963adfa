package gpt

// LayerMask says something of each layer of a model: byte i is '1' where it holds for layer i, else '0'. It holds for no
// layer past its end. It is a string so that models can be compared.
type LayerMask string

// MaskOf returns the mask of the layers for which f holds; "" where it holds for none.
func MaskOf(layers int, f func(layer int) bool) LayerMask {
	mask, any := make([]byte, layers), false
	for i := range mask {
		if mask[i] = '0'; f(i) {
			mask[i], any = '1', true
		}
	}
	if !any {
		return ""
	}
	return LayerMask(mask)
}

// Has reports whether it holds for a layer.
func (m LayerMask) Has(layer int) bool { return layer < len(m) && m[layer] == '1' }

// readSliding reads layer_types of config.json: the layers whose queries see a window of keys. Without it the layers
// count for which other holds. Another type of layer is an error.
func readSliding(c *Settings, layers int, other func(layer int) bool) LayerMask {
	types := c.Texts("layer_types")
	if types == nil {
		return MaskOf(min(max(layers, 0), MaxSize), other)
	}
	if len(types) != layers {
		c.Fail("layer_types has %d layers; num_hidden_layers is %d", len(types), layers)
	}
	for _, t := range types {
		if t != slidingLayer && t != fullLayer {
			c.Fail("layer_types has %q; known: %s, %s", t, slidingLayer, fullLayer)
		}
	}
	return MaskOf(len(types), func(i int) bool { return types[i] == slidingLayer })
}

// The types of layers in config.json.
const slidingLayer, fullLayer = "sliding_attention", "full_attention"

// layerTypes is layer_types for the layers of a mask.
func layerTypes(layers int, sliding LayerMask) []any {
	types := make([]any, layers)
	for i := range types {
		if types[i] = any(fullLayer); sliding.Has(i) {
			types[i] = slidingLayer
		}
	}
	return types
}
