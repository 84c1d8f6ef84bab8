// The rules for the package's TypeScript: the strictest set with types, and why a rule is off.

import path from 'node:path'
import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist/', 'lint/', 'npm/', 'scripts/', 'test/', '*.mjs', '**/*.d.ts', '**/*.d.mts'] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: path.join(import.meta.dirname, '..') } },
    rules: {
      // Values of handlers and replies are the user's.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // An index that was looked at before, in code that runs for every call.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Numbers and the like in texts are meant.
      '@typescript-eslint/restrict-template-expressions': 'off',
      // Numbers that the native part writes.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // A signal's reason is whatever its owner made it.
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      // What a raw handler may give.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
    },
  },
)
