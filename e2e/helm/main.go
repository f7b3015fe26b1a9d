// Prints what Helm makes of a chart with its own values: the engine of `helm template`, without the rest of Helm.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: helm CHART NAMESPACE"))
	}
	chart, err := loader.Load(os.Args[1])
	fail(err)
	release := chartutil.ReleaseOptions{Name: "navigator", Namespace: os.Args[2], IsInstall: true, Revision: 1}
	values, err := chartutil.ToRenderValues(chart, nil, release, chartutil.DefaultCapabilities)
	fail(err)
	rendered, err := (engine.Engine{Strict: true}).Render(chart, values)
	fail(err)
	for _, crd := range chart.CRDObjects() {
		fmt.Printf("---\n%s\n", crd.File.Data)
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if strings.HasSuffix(name, ".yaml") {
			fmt.Printf("---\n%s\n", rendered[name])
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
