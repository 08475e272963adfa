package gpt

// LayerMask marks layers of a model: byte i is '1' where layer i is marked, else '0'. Layers past its end are not
// marked. It is a string so that models can be compared with ==.
type LayerMask string

// MaskOf returns the mask of those layers, out of 0 … layers−1, for which f holds. It is "" where there is none.
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

// Has reports whether a layer, counted from 0, is marked.
func (m LayerMask) Has(layer int) bool { return layer < len(m) && m[layer] == '1' }

// readSliding reads layer_types of config.json and marks the layers whose queries see a window of keys. Where the
// setting is missing, it marks the layers for which other holds. Another type of layer is an error in c.
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

// layerTypes returns layer_types of config.json for a mask.
func layerTypes(layers int, sliding LayerMask) []any {
	types := make([]any, layers)
	for i := range types {
		if types[i] = any(fullLayer); sliding.Has(i) {
			types[i] = slidingLayer
		}
	}
	return types
}
