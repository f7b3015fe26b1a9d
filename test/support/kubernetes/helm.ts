/** Helm's engine, built once from its published modules. */
import { goProgram } from '../tools/go.ts';

/** The path of a program that prints what Helm makes of a chart in a namespace: e2e/helm/main.go. */
export function helmRenderer(say: (line: string) => void): Promise<string> {
  return goProgram({ program: 'helm-render', package: '.', module: 'helm', versionOf: 'helm.sh/helm/v3' }, say);
}
