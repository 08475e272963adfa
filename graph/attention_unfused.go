package graph

// attentionUnfused is [Graph.Attention] as a formula of other ops: the oracle of its tests, and the way where a kernel
// is missing. It stores the scores (B, NH, T, S).
func (g *Graph) attentionUnfused(q, k, v *Node, o AttentionOpts) *Node {
	a, x := o.attention(q, k, v)
	b, t, nh, hs := q.Dim(0), q.Dim(1), q.Dim(2), q.Dim(3)
	s, kvh := k.Dim(1), k.Dim(2)
	// The query heads of a group are rows of one product: (B, KVH, G·T, HS).
	rows := g.Reshape(g.Permute(q, 0, 2, 1, 3), b, kvh, nh/max(kvh, 1)*t, hs)
	scores := g.Scale(g.MatMulT(rows, g.Permute(k, 0, 2, 1, 3)), a.scale(hs)) // (B, KVH, G·T, S)
	mask := g.Apply(AttentionMask{Of: a, S: s}, append([]*Node{q}, x[3:]...)...)
	w := g.Softmax(g.Add(g.Reshape(scores, b, nh, t, s), mask), -1)
	w = g.Reshape(g.Dropout(w, a.Drop, a.Stream), b, kvh, nh/max(kvh, 1)*t, s)
	y := g.MatMul(w, g.Permute(v, 0, 2, 1, 3)) // (B, KVH, G·T, HS)
	return g.Permute(g.Reshape(y, b, nh, t, hs), 0, 2, 1, 3)
}
