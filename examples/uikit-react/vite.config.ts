import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  // Nobody but this machine: the page asks for an access token.
  server: { host: '127.0.0.1', port: 5173, strictPort: true },
})
