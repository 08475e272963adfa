package graphtest

// Cases returns the table: every op at every shape worth testing.
func Cases() []Case {
	var all []Case
	for _, family := range [][]Case{
		binaryCases, whereCases, unaryCases, activationCases, shapeCases, reductionCases, lossCases,
		matmulCases, softmaxCases, normCases, entropyCases, linearEntropyCases, embeddingCases, updateCases,
		attentionCases, dropoutCases, rotaryCases, positionCases, oneHotCases, primeRows(),
	} {
		all = append(all, family...)
	}
	return all
}
